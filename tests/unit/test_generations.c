/*
 * test_generations.c - how one generation of children follows another, without a process.
 */
#include "tests/unit/supervisor_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- replacing ------------------------------------------------------------------------ */

static void
supervisor_replaces_a_generation_one_by_one_the_new_one_first(void **state)
{
    struct supervisor *s = *state;
    size_t place;
    long slot;

    raise_all(s, START);
    supervisor_turn(s, 2, PLACES, START + 10);
    assert_int_equal(supervisor_next_retiree(s), -1); /* nobody before a successor */
    for (place = 0; place < PLACES; place++) {
        assert_int_not_equal(slot = raise_next(s, START + 10), -1);
        assert_int_equal(s->slots[slot].place, place);
        assert_int_equal(s->slots[slot].generation, 2);
        assert_int_equal(raise_next(s, START + 10), -1); /* one at a time */
        assert_int_equal(supervisor_next_retiree(s), -1);
        assert_int_not_equal(supervisor_wakeup(s),
                             START + 10); /* nothing to do but wait */
        supervisor_ready(s, (size_t)slot, START + 11);
        assert_false(supervisor_settled(s));
        assert_int_equal(supervisor_next_retiree(s), (long)place);
        assert_int_equal(retire_all(s, START + 11), 1);
    }
    assert_true(supervisor_settled(s));
    assert_int_equal(supervisor_count(s, CHILD_RETIRING), PLACES);
    assert_true(reap(s, 0, START + 12, MIDDLE).expected);
    assert_int_equal(raise_next(s, START + 20), -1);
}

static void
supervisor_fills_an_empty_place_before_it_replaces(void **state)
{
    struct supervisor *s = *state;
    long slot;

    raise_all(s, START);
    reap(s, 1, START + 1000 * MS, MIDDLE);
    supervisor_turn(s, 2, PLACES, START + 1000 * MS);
    slot = raise_next(s, START + 1000 * MS);
    assert_int_equal(s->slots[slot].place, 1);
    assert_int_equal(raise_next(s, START + 1000 * MS), -1);
    supervisor_ready(s, (size_t)slot, START + 1010 * MS);
    slot = raise_next(s, START + 1010 * MS);
    assert_int_equal(s->slots[slot].place, 0);
}

static void
supervisor_drops_children_that_were_starting_for_the_old_generation(void **state)
{
    struct supervisor *s = *state;

    raise_next(s, START);
    supervisor_turn(s, 2, PLACES, START + 1);
    assert_int_equal(supervisor_next_retiree(s), 0);
    assert_int_equal(retire_all(s, START + 1), 1);
    raise_all(s, START + 2);
    assert_true(supervisor_settled(s));
    assert_int_equal(supervisor_count(s, CHILD_READY), PLACES);
}

static void
supervisor_goes_back_to_the_old_generation(void **state)
{
    struct supervisor *s = *state;
    long slot;

    raise_all(s, START);
    supervisor_turn(s, 2, PLACES, START);
    slot = raise_next(s, START);
    supervisor_ready(s, (size_t)slot, START);
    retire_all(s, START);
    slot = raise_next(s, START); /* place 1, and this one fails */
    supervisor_turn(s, 1, PLACES, START + 1);
    assert_int_equal(supervisor_next_retiree(s), slot);
    retire_all(s, START + 1);
    assert_int_equal(supervisor_count(s, CHILD_READY), PLACES);
    slot = raise_next(s, START + 1); /* place 0 again, from its successor */
    assert_int_equal(s->slots[slot].place, 0);
    assert_int_equal(s->slots[slot].generation, 1);
    supervisor_ready(s, (size_t)slot, START + 2);
    assert_int_equal(retire_all(s, START + 2), 1);
    assert_true(supervisor_settled(s));
}

static void
supervisor_is_content_with_who_serves_when_there_is_no_way_back(void **state)
{
    struct supervisor *s = *state;
    long slot;

    raise_all(s, START);
    supervisor_turn(s, 2, PLACES, START);
    slot = raise_next(s, START);
    supervisor_content(s);
    assert_int_equal(supervisor_next_retiree(s), slot); /* the successor is not needed */
    retire_all(s, START);
    assert_true(supervisor_settled(s));
    assert_int_equal(raise_next(s, START), -1);
}

static void
supervisor_counts_the_early_deaths_of_a_turn(void **state)
{
    struct supervisor *s = *state;
    long slot;

    raise_all(s, START);
    supervisor_turn(s, 2, PLACES, START + 1000 * MS);
    slot = raise_next(s, START + 1000 * MS);
    reap(s, (size_t)slot, START + 1001 * MS, MIDDLE);
    assert_int_equal(s->failures, 1);
    reap(s, 2, START + 1001 * MS, MIDDLE); /* an old one that was healthy */
    assert_int_equal(s->failures, 1);
    assert_int_equal(s->slots[1].state, CHILD_READY);
    /* The place waits; nobody who serves it was harmed. */
    slot = raise_next(s, START + 1001 * MS);
    assert_int_equal(s->slots[slot].place, 2);
    supervisor_turn(s, 3, PLACES, START + 1002 * MS);
    assert_int_equal(s->failures, 0);
}

static void
supervisor_replaces_the_worn_one_at_a_time(void **state)
{
    struct supervisor *s = *state;
    long slot;

    raise_all(s, START);
    supervisor_wear(s, 1);
    supervisor_wear(s, 2);
    assert_false(supervisor_is_current(s, 1));
    slot = raise_next(s, START + 1);
    assert_int_equal(s->slots[slot].place, 1);
    assert_int_equal(raise_next(s, START + 1), -1);
    assert_int_equal(supervisor_next_retiree(s), -1);
    supervisor_ready(s, (size_t)slot, START + 2);
    assert_int_equal(supervisor_next_retiree(s), 1);
    retire_all(s, START + 2);
    assert_int_equal(s->slots[raise_next(s, START + 2)].place, 2);
}

/* --- more and fewer --------------------------------------------------------------------- */

static void
supervisor_grows_before_it_replaces_and_shrinks_after(void **state)
{
    struct supervisor *s = *state;
    long slot;

    raise_all(s, START);
    supervisor_turn(s, 2, PLACES + 1, START);
    slot = raise_next(s, START);
    assert_int_equal(s->slots[slot].place, PLACES);
    supervisor_ready(s, (size_t)slot, START);
    raise_all(s, START); /* place 0 */
    while (retire_all(s, START) > 0)
        raise_all(s, START);
    assert_int_equal(supervisor_count(s, CHILD_READY), PLACES + 1);
    assert_true(supervisor_settled(s));
}

static void
supervisor_lets_the_superfluous_go_when_the_wanted_are_there(void **state)
{
    struct supervisor *s = *state;

    raise_all(s, START);
    supervisor_turn(s, 2, 1, START);
    assert_int_equal(supervisor_next_retiree(s), -1);
    supervisor_ready(s, (size_t)raise_next(s, START), START);
    assert_int_equal(retire_all(s, START), PLACES);
    assert_true(supervisor_settled(s));
    assert_int_equal(supervisor_count(s, CHILD_READY), 1);
}

static void
supervisor_resizes_within_a_generation(void **state)
{
    struct supervisor *s = *state;

    raise_all(s, START);
    supervisor_resize(s, 2, START);
    assert_int_equal(supervisor_next_retiree(s), 2);
    retire_all(s, START);
    supervisor_resize(s, 3, START + 5);
    assert_int_equal(supervisor_wakeup(s), START + 5);
    assert_int_equal(raise_next(s, START + 5), 3); /* slot 2 is not empty yet */
    assert_int_equal(s->slots[3].place, 2);
}

static void
supervisor_raises_nobody_without_an_empty_slot(void **state)
{
    struct supervisor *s = *state;
    unsigned generation;

    raise_all(s, START);
    for (generation = 2; generation <= 4; generation++) {
        supervisor_turn(s, generation, PLACES, START);
        raise_all(s, START);
        retire_all(s, START);
    }
    while (supervisor_count(s, CHILD_NONE) > 0) {
        raise_all(s, START);
        retire_all(s, START);
        supervisor_turn(s, ++generation, PLACES, START);
    }
    assert_int_equal(raise_next(s, START), -1);
    /* nothing to wake for but the end of somebody's patience: no spinning */
    assert_int_equal(supervisor_wakeup(s), START + 10 * USEC_PER_SEC);
}

static void
supervisor_pauses_until_the_next_turn(void **state)
{
    struct supervisor *s = *state;

    raise_all(s, START);
    supervisor_pause(s);
    assert_int_equal(retire_all(s, START), PLACES);
    assert_true(reap(s, 0, START, MIDDLE).expected);
    assert_int_equal(raise_next(s, UINT64_MAX), -1);
    assert_false(supervisor_settled(s));
    supervisor_turn(s, 2, PLACES, START);
    raise_all(s, START);
    assert_true(supervisor_settled(s));
}

static void
supervisor_names_those_who_do_not_retire_in_time(void **state)
{
    struct supervisor *s = *state;

    raise_all(s, START);
    supervisor_retired(s, 1, START, START + 100);
    assert_int_equal(supervisor_next_overdue(s, START + 99, 50), -1);
    assert_int_equal(supervisor_next_overdue(s, START + 100, 50), 1);
    assert_int_equal(supervisor_next_overdue(s, START + 149, 50), -1);
    assert_int_equal(supervisor_next_overdue(s, START + 150, 50), 1);
}

int
main(void)
{
#define SUPERVISOR_TEST(f)                                       \
    cmocka_unit_test_setup_teardown(f, supervisor_fixture_setup, \
                                    supervisor_fixture_teardown)
    const struct CMUnitTest tests[] = {
        SUPERVISOR_TEST(supervisor_replaces_a_generation_one_by_one_the_new_one_first),
        SUPERVISOR_TEST(supervisor_fills_an_empty_place_before_it_replaces),
        SUPERVISOR_TEST(
            supervisor_drops_children_that_were_starting_for_the_old_generation),
        SUPERVISOR_TEST(supervisor_goes_back_to_the_old_generation),
        SUPERVISOR_TEST(supervisor_is_content_with_who_serves_when_there_is_no_way_back),
        SUPERVISOR_TEST(supervisor_counts_the_early_deaths_of_a_turn),
        SUPERVISOR_TEST(supervisor_replaces_the_worn_one_at_a_time),
        SUPERVISOR_TEST(supervisor_grows_before_it_replaces_and_shrinks_after),
        SUPERVISOR_TEST(supervisor_lets_the_superfluous_go_when_the_wanted_are_there),
        SUPERVISOR_TEST(supervisor_resizes_within_a_generation),
        SUPERVISOR_TEST(supervisor_raises_nobody_without_an_empty_slot),
        SUPERVISOR_TEST(supervisor_pauses_until_the_next_turn),
        SUPERVISOR_TEST(supervisor_names_those_who_do_not_retire_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
