/*
 * test_supervisor.c - the rule of who is raised when, without a process.
 */
#include "server/master/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS USEC_PER_MSEC
#define START (100 * USEC_PER_SEC)
#define MIDDLE 0.5 /* the chance that changes nothing */

static const struct supervisor_rules rules = {
    .respawn_min = 100 * MS,
    .respawn_max = 10000 * MS,
    .start_timeout = 30000 * MS,
    .hang_timeout = 10000 * MS,
};

static int
setup(void **state)
{
    struct supervisor *s = calloc(1, sizeof(*s));

    *state = s;
    return s == NULL || supervisor_init(s, 3, &rules, START) == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
    supervisor_fini(*state);
    free(*state);
    return 0;
}

/* Raises slot 0 at 'from', lets it be ready at 'ready' (0: never) and die at 'end'. */
static usec_t
delay_after_life(struct supervisor *s, usec_t from, usec_t ready, usec_t end,
                 double chance)
{
    struct supervisor_death death;

    supervisor_spawned(s, 0, 1000, from);
    if (ready != 0)
        supervisor_ready(s, 0, ready);
    assert_true(supervisor_reaped(s, 1000, end, chance, &death));
    assert_int_equal(death.slot, 0);
    assert_int_equal(death.was_ready, ready != 0);
    assert_int_equal(s->slots[0].due, end + death.delay);
    return death.delay;
}

static void
supervisor_raises_every_slot_at_once_at_start(void **state)
{
    struct supervisor *s = *state;
    long i;

    assert_int_equal(supervisor_next_due(s, START - 1), -1);
    assert_int_equal(supervisor_wakeup(s), START);
    for (i = 0; i < 3; i++) {
        assert_int_equal(supervisor_next_due(s, START), i);
        supervisor_spawned(s, (size_t)i, (pid_t)(1000 + i), START);
        assert_int_equal(supervisor_count(s, CHILD_STARTING), (size_t)i + 1);
    }
    assert_int_equal(supervisor_next_due(s, START + USEC_PER_SEC), -1);
    assert_int_equal(supervisor_count(s, CHILD_DUE), 0);
    assert_false(supervisor_empty(s));
    supervisor_ready(s, 1, START + 5);
    assert_int_equal(supervisor_count(s, CHILD_READY), 1);
}

static void
supervisor_replaces_a_healthy_child_at_once(void **state)
{
    struct supervisor *s = *state;
    struct supervisor_death death;

    supervisor_spawned(s, 1, 1001, START);
    supervisor_ready(s, 1, START + 20 * MS);
    assert_true(supervisor_reaped(s, 1001, START + 520 * MS, 0.99, &death));
    assert_int_equal(death.slot, 1);
    assert_true(death.was_ready);
    assert_int_equal(death.delay, 0);
    assert_int_equal(death.restarts, 1);
    supervisor_spawned(s, 0, 1000, START + 520 * MS);
    assert_int_equal(supervisor_next_due(s, START + 520 * MS), 1);
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
    s->slots[1].due = s->slots[2].due = UINT64_MAX;
    assert_int_equal(supervisor_next_due(s, s->slots[0].due - 1), -1);
    assert_int_equal(supervisor_next_due(s, s->slots[0].due), 0);
    assert_int_equal(supervisor_wakeup(s), s->slots[0].due);
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
    assert_int_equal(s->slots[0].restarts, 110);
}

static void
supervisor_spreads_the_wait_by_a_fifth(void **state)
{
    struct supervisor *s = *state;
    usec_t delay;

    assert_int_equal(delay_after_life(s, START, 0, START + 1, 0.0), 80 * MS);
    s->slots[0].early_deaths = 0;
    delay = delay_after_life(s, START, 0, START + 1, 0.999999);
    assert_in_range(delay, 119 * MS, 120 * MS);
    s->slots[0].early_deaths = 50;
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
    assert_int_equal(s->slots[0].restarts, 4);
}

static void
supervisor_tries_again_later_when_nobody_could_be_raised(void **state)
{
    struct supervisor *s = *state;

    supervisor_not_spawned(s, 0, START, MIDDLE);
    assert_int_equal(s->slots[0].due, START + 100 * MS);
    supervisor_not_spawned(s, 0, START + 100 * MS, MIDDLE);
    assert_int_equal(s->slots[0].due, START + 300 * MS);
    assert_int_equal(supervisor_next_due(s, START), 1); /* the others are not held up */
    assert_int_equal(supervisor_count(s, CHILD_DUE), 3);
    assert_int_equal(s->slots[0].restarts, 0);
    assert_int_equal(delay_after_life(s, START + 300 * MS, 0, START + 301 * MS, MIDDLE),
                     400 * MS);
}

static void
supervisor_does_not_know_strangers(void **state)
{
    struct supervisor *s = *state;
    struct supervisor_death death;

    supervisor_spawned(s, 0, 1000, START);
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
    supervisor_ready(s, 3, START); /* no such slot */
    supervisor_spawned(s, 0, 1000, START);
    supervisor_ready(s, 0, START + 10);
    supervisor_ready(s, 0, START + 400 * MS); /* told before: the first time counts */
    assert_int_equal(s->slots[0].since, START + 10);
    supervisor_stop(s);
    supervisor_ready(s, 1, START + 20);
    assert_int_equal(supervisor_count(s, CHILD_READY), 1);
}

static void
supervisor_names_children_that_are_late(void **state)
{
    struct supervisor *s = *state;

    supervisor_spawned(s, 0, 1000, START);
    supervisor_spawned(s, 1, 1001, START + 5);
    supervisor_spawned(s, 2, 1002, START + 1);
    supervisor_ready(s, 2, START + 10);
    assert_int_equal(supervisor_wakeup(s), START + rules.start_timeout);
    assert_int_equal(supervisor_next_late(s, START + rules.start_timeout - 1), -1);
    assert_int_equal(supervisor_next_late(s, START + rules.start_timeout), 0);
    supervisor_ready(s, 0, START + rules.start_timeout);
    assert_int_equal(supervisor_next_late(s, START + rules.start_timeout), -1);
    assert_int_equal(supervisor_wakeup(s), START + 5 + rules.start_timeout);
    assert_int_equal(supervisor_next_late(s, UINT64_MAX), 1);
    supervisor_ready(s, 1, START + 20);
    assert_int_equal(supervisor_next_late(s, UINT64_MAX), -1);
    assert_int_equal(supervisor_wakeup(s), 0); /* nothing is planned */
}

static void
supervisor_raises_nobody_once_it_stops(void **state)
{
    struct supervisor *s = *state;
    struct supervisor_death death;

    supervisor_spawned(s, 0, 1000, START);
    supervisor_spawned(s, 1, 1001, START);
    supervisor_ready(s, 0, START + 1);
    supervisor_stop(s);
    assert_int_equal(supervisor_count(s, CHILD_GONE), 1); /* was due */
    assert_int_equal(supervisor_next_due(s, UINT64_MAX), -1);
    supervisor_ready(s, 1, START + 2); /* a child that was starting gets ready late */
    assert_int_equal(supervisor_count(s, CHILD_READY), 2);
    assert_true(supervisor_reaped(s, 1000, START + 3, MIDDLE, &death));
    assert_false(supervisor_empty(s));
    assert_true(supervisor_reaped(s, 1001, START + 4, MIDDLE, &death));
    assert_true(supervisor_empty(s));
    assert_int_equal(supervisor_count(s, CHILD_GONE), 3);
    assert_int_equal(supervisor_next_due(s, UINT64_MAX), -1);
    assert_int_equal(supervisor_wakeup(s), 0);
}

/* The stage that slot 0, raised and ready at START, comes to at 'now'. */
static enum watch_stage
watch_at(struct supervisor *s, usec_t beat, usec_t now)
{
    return supervisor_watch(s, 0, START + beat * MS, START + now * MS);
}

static void
supervisor_warns_aborts_and_kills_a_silent_child_once_each(void **state)
{
    struct supervisor *s = *state;

    supervisor_spawned(s, 0, 1000, START);
    assert_int_equal(watch_at(s, 0, 60000),
                     WATCH_FINE); /* not ready yet: start_timeout */
    supervisor_ready(s, 0, START);
    assert_int_equal(watch_at(s, 0, 999), WATCH_FINE);
    assert_int_equal(watch_at(s, 0, 1000), WATCH_WARNED);
    assert_int_equal(watch_at(s, 0, 1500), WATCH_FINE);
    assert_int_equal(watch_at(s, 0, 9999), WATCH_FINE);
    assert_int_equal(watch_at(s, 0, 10000), WATCH_ABORTED);
    assert_int_equal(watch_at(s, 0, 11999), WATCH_FINE);
    assert_int_equal(watch_at(s, 0, 12000), WATCH_KILLED);
    assert_int_equal(watch_at(s, 0, 20000), WATCH_FINE);
}

static void
supervisor_forgives_a_child_whose_heart_beats_again(void **state)
{
    struct supervisor *s = *state;

    supervisor_spawned(s, 0, 1000, START);
    supervisor_ready(s, 0, START);
    assert_int_equal(watch_at(s, 0, 2000), WATCH_WARNED);
    assert_int_equal(watch_at(s, 2400, 2500), WATCH_FINE);
    assert_int_equal(watch_at(s, 2400, 3400), WATCH_WARNED);
    /* A heart that is ahead of our clock beats. */
    assert_int_equal(watch_at(s, 9000, 8000), WATCH_FINE);
}

static void
supervisor_never_kills_whom_it_did_not_abort(void **state)
{
    struct supervisor *s = *state;

    supervisor_spawned(s, 0, 1000, START);
    supervisor_ready(s, 0, START);
    assert_int_equal(watch_at(s, 0, 60000), WATCH_WARNED);
    assert_int_equal(watch_at(s, 0, 60500), WATCH_ABORTED);
    assert_int_equal(watch_at(s, 0, 61000), WATCH_KILLED);
}

static void
supervisor_skips_a_round_when_it_was_stopped_itself(void **state)
{
    struct supervisor *s = *state;

    assert_false(supervisor_watch_due(s, START)); /* the first look comes late */
    assert_false(supervisor_watch_due(s, START + 499 * MS));
    assert_true(supervisor_watch_due(s, START + 500 * MS));
    assert_true(supervisor_watch_due(s, START + 2499 * MS));
    assert_false(supervisor_watch_due(s, START + 30000 * MS));
    assert_true(supervisor_watch_due(s, START + 30500 * MS));
}

int
main(void)
{
#define SUPERVISOR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        SUPERVISOR_TEST(supervisor_raises_every_slot_at_once_at_start),
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
        SUPERVISOR_TEST(supervisor_warns_aborts_and_kills_a_silent_child_once_each),
        SUPERVISOR_TEST(supervisor_forgives_a_child_whose_heart_beats_again),
        SUPERVISOR_TEST(supervisor_never_kills_whom_it_did_not_abort),
        SUPERVISOR_TEST(supervisor_skips_a_round_when_it_was_stopped_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
