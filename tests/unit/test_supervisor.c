/*
 * test_supervisor.c - the rule of who is raised when, without a process.
 */
#include "tests/unit/supervisor_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Raises place 0 at 'from', lets it be ready at 'ready' (0: never) and die at 'end'. */
static usec_t
delay_after_life(struct supervisor *s, usec_t from, usec_t ready, usec_t end,
                 double chance)
{
    struct supervisor_death death;

    supervisor_spawned(s, &(struct supervisor_birth){ 0, 0 }, 1000, from);
    if (ready != 0)
        supervisor_ready(s, 0, ready);
    death = reap(s, 0, end, chance);
    assert_int_equal(death.was, ready != 0 ? CHILD_READY : CHILD_STARTING);
    assert_false(death.expected);
    assert_int_equal(s->places[0].due, end + death.delay);
    return death.delay;
}

/* --- raising ------------------------------------------------------------------------- */

static void
supervisor_raises_every_place_at_once_at_start(void **state)
{
    struct supervisor *s = *state;
    long i;

    assert_int_equal(raise_next(s, START - 1), -1);
    assert_int_equal(supervisor_wakeup(s), START);
    for (i = 0; i < PLACES; i++) {
        assert_int_equal(raise_next(s, START), i);
        assert_int_equal(supervisor_count(s, CHILD_STARTING), (size_t)i + 1);
    }
    assert_int_equal(raise_next(s, START + USEC_PER_SEC), -1);
    assert_false(supervisor_empty(s));
    supervisor_ready(s, 1, START + 5);
    assert_int_equal(supervisor_count(s, CHILD_READY), 1);
    assert_false(supervisor_settled(s));
    supervisor_ready(s, 0, START + 6);
    supervisor_ready(s, 2, START + 6);
    assert_true(supervisor_settled(s));
}

static void
supervisor_replaces_a_healthy_child_at_once(void **state)
{
    struct supervisor *s = *state;
    struct supervisor_death death;

    raise_all(s, START);
    death = reap(s, 1, START + 500 * MS, 0.99);
    assert_int_equal(death.place, 1);
    assert_int_equal(death.was, CHILD_READY);
    assert_int_equal(death.delay, 0);
    assert_int_equal(death.restarts, 1);
    assert_int_equal(raise_next(s, START + 500 * MS), 1);
    assert_int_equal(s->slots[1].place, 1);
}

static void
supervisor_lets_one_wait_that_died_early(void **state)
{
    struct supervisor *s = *state;

    /* long alive, but never ready */
    assert_int_equal(delay_after_life(s, START, 0, START + 20000 * MS, MIDDLE), 100 * MS);
    /* ready for a hair less than 500 ms */
    assert_int_equal(delay_after_life(s, START + 21000 * MS, START + 30000 * MS,
                                      START + 30500 * MS - 1, MIDDLE),
                     200 * MS);
    assert_int_equal(s->failures, 2);
    s->places[1].due = s->places[2].due = UINT64_MAX;
    assert_int_equal(supervisor_wakeup(s), s->places[0].due);
    assert_int_equal(raise_next(s, s->places[0].due - 1), -1);
    assert_int_equal(raise_next(s, s->places[0].due), 0);
}

static void
supervisor_doubles_the_wait_up_to_its_maximum(void **state)
{
    static const unsigned expected[] = { 100,  200,  400,   800,   1600,
                                         3200, 6400, 10000, 10000, 10000 };
    struct supervisor *s = *state;
    usec_t now = START;
    size_t i;

    for (i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(delay_after_life(s, now, 0, now + 1, MIDDLE), expected[i] * MS);
        now += 20 * USEC_PER_SEC;
    }
    for (i = 0; i < 100; i++) { /* no shift runs over */
        assert_int_equal(delay_after_life(s, now, 0, now + 1, MIDDLE), 10000 * MS);
        now += 20 * USEC_PER_SEC;
    }
    assert_int_equal(s->places[0].restarts, 110);
}

static void
supervisor_spreads_the_wait_by_a_fifth(void **state)
{
    struct supervisor *s = *state;
    usec_t delay;

    assert_int_equal(delay_after_life(s, START, 0, START + 1, 0.0), 80 * MS);
    s->places[0].early_deaths = 0;
    delay = delay_after_life(s, START, 0, START + 1, 0.999999);
    assert_in_range(delay, 119 * MS, 120 * MS);
    s->places[0].early_deaths = 50;
    assert_int_equal(delay_after_life(s, START, 0, START + 1, 0.0), 8000 * MS);
    delay = delay_after_life(s, START, 0, START + 1, 0.999999);
    assert_in_range(delay, 11900 * MS, 12000 * MS);
}

static void
supervisor_forgets_early_deaths_after_a_healthy_life(void **state)
{
    struct supervisor *s = *state;
    usec_t now = START;

    assert_int_equal(delay_after_life(s, now, 0, now + 1, MIDDLE), 100 * MS);
    now += USEC_PER_SEC;
    assert_int_equal(delay_after_life(s, now, now + 1, now + 2, MIDDLE), 200 * MS);
    now += USEC_PER_SEC;
    assert_int_equal(delay_after_life(s, now, now + 1, now + 1 + 500 * MS, MIDDLE), 0);
    now += USEC_PER_SEC;
    assert_int_equal(delay_after_life(s, now, 0, now + 1, MIDDLE), 100 * MS);
    assert_int_equal(s->places[0].restarts, 4);
}

static void
supervisor_tries_again_later_when_nobody_could_be_raised(void **state)
{
    const struct supervisor_birth birth = { 0, 0 };
    struct supervisor *s = *state;

    supervisor_not_spawned(s, &birth, START, MIDDLE);
    assert_int_equal(s->places[0].due, START + 100 * MS);
    supervisor_not_spawned(s, &birth, START + 100 * MS, MIDDLE);
    assert_int_equal(s->places[0].due, START + 300 * MS);
    assert_int_equal(raise_next(s, START), 0); /* the others are not held up */
    assert_int_equal(s->slots[0].place, 1);
    assert_int_equal(s->places[0].restarts, 0);
    assert_int_equal(s->failures, 0);
}

static void
supervisor_does_not_know_strangers(void **state)
{
    struct supervisor *s = *state;
    struct supervisor_death death;

    raise_next(s, START);
    assert_false(supervisor_reaped(s, 999, START, MIDDLE, &death));
    assert_false(supervisor_reaped(s, 0, START, MIDDLE, &death)); /* of an empty slot */
    assert_int_equal(supervisor_count(s, CHILD_STARTING), 1);
    assert_true(supervisor_reaped(s, 1000, START, MIDDLE, &death));
    assert_false(supervisor_reaped(s, 1000, START, MIDDLE, &death)); /* twice */
}

static void
supervisor_believes_only_a_starting_child_that_it_is_ready(void **state)
{
    struct supervisor *s = *state;

    supervisor_ready(s, 0, START); /* nobody lives there */
    assert_int_equal(supervisor_count(s, CHILD_READY), 0);
    supervisor_ready(s, SLOTS, START); /* no such slot */
    raise_next(s, START);
    supervisor_ready(s, 0, START + 10);
    supervisor_ready(s, 0, START + 400 * MS); /* told before: the first time counts */
    assert_int_equal(s->slots[0].since, START + 10);
    supervisor_retired(s, 0, START + 20, START + 30);
    supervisor_ready(s, 0, START + 25);
    assert_int_equal(supervisor_count(s, CHILD_READY), 0);
}

static void
supervisor_names_children_that_are_late(void **state)
{
    struct supervisor *s = *state;
    usec_t late = START + supervisor_fixture_rules.start_timeout;

    raise_next(s, START);
    raise_next(s, START + 5);
    raise_next(s, START + 1);
    supervisor_ready(s, 2, START + 10);
    assert_int_equal(supervisor_wakeup(s), late);
    assert_int_equal(supervisor_next_late(s, late - 1), -1);
    assert_int_equal(supervisor_next_late(s, late), 0);
    supervisor_ready(s, 0, late);
    assert_int_equal(supervisor_next_late(s, late), -1);
    assert_int_equal(supervisor_wakeup(s), late + 5);
    assert_int_equal(supervisor_next_late(s, UINT64_MAX), 1);
    supervisor_ready(s, 1, START + 20);
    assert_int_equal(supervisor_next_late(s, UINT64_MAX), -1);
    assert_int_equal(supervisor_wakeup(s), 0); /* nothing is planned */
}

static void
supervisor_raises_nobody_once_it_stops(void **state)
{
    struct supervisor *s = *state;

    raise_next(s, START);
    raise_next(s, START);
    supervisor_ready(s, 0, START + 1);
    supervisor_stop(s);
    assert_int_equal(raise_next(s, UINT64_MAX), -1);
    assert_int_equal(supervisor_next_retiree(s), -1); /* they were told otherwise */
    supervisor_ready(s, 1, START + 2); /* a child that was starting gets ready late */
    assert_int_equal(supervisor_count(s, CHILD_READY), 2);
    assert_true(reap(s, 0, START + 3, MIDDLE).expected);
    assert_false(supervisor_empty(s));
    assert_true(reap(s, 1, START + 4, MIDDLE).expected);
    assert_true(supervisor_empty(s));
    supervisor_turn(s, 2, PLACES, START + 5); /* too late */
    supervisor_pause(s);
    assert_int_equal(raise_next(s, UINT64_MAX), -1);
    assert_int_equal(supervisor_wakeup(s), 0);
}

int
main(void)
{
#define SUPERVISOR_TEST(f)                                       \
    cmocka_unit_test_setup_teardown(f, supervisor_fixture_setup, \
                                    supervisor_fixture_teardown)
    const struct CMUnitTest tests[] = {
        SUPERVISOR_TEST(supervisor_raises_every_place_at_once_at_start),
        SUPERVISOR_TEST(supervisor_replaces_a_healthy_child_at_once),
        SUPERVISOR_TEST(supervisor_lets_one_wait_that_died_early),
        SUPERVISOR_TEST(supervisor_doubles_the_wait_up_to_its_maximum),
        SUPERVISOR_TEST(supervisor_spreads_the_wait_by_a_fifth),
        SUPERVISOR_TEST(supervisor_forgets_early_deaths_after_a_healthy_life),
        SUPERVISOR_TEST(supervisor_tries_again_later_when_nobody_could_be_raised),
        SUPERVISOR_TEST(supervisor_does_not_know_strangers),
        SUPERVISOR_TEST(supervisor_believes_only_a_starting_child_that_it_is_ready),
        SUPERVISOR_TEST(supervisor_names_children_that_are_late),
        SUPERVISOR_TEST(supervisor_raises_nobody_once_it_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
