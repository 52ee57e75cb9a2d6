/*
 * test_watchdog.c - what becomes of a child whose heart does not beat.
 */
#include "server/master/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS USEC_PER_MSEC
#define START (100 * USEC_PER_SEC)
#define SLOTS 3
#define PLACES 1

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
    if (s == NULL || supervisor_init(s, SLOTS, &rules) == -1)
        return -1;
    supervisor_turn(s, 1, PLACES, START);
    return 0;
}

static int
teardown(void **state)
{
    supervisor_fini(*state);
    free(*state);
    return 0;
}

static void
born(struct supervisor *s, size_t slot, usec_t now)
{
    supervisor_spawned(s, &(struct supervisor_birth){ slot, 0 }, 1000, now);
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

    born(s, 0, START);
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

    born(s, 0, START);
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

    born(s, 0, START);
    supervisor_ready(s, 0, START);
    assert_int_equal(watch_at(s, 0, 60000), WATCH_WARNED);
    assert_int_equal(watch_at(s, 0, 60500), WATCH_ABORTED);
    assert_int_equal(watch_at(s, 0, 61000), WATCH_KILLED);
}

static void
supervisor_watches_a_child_that_retires(void **state)
{
    struct supervisor *s = *state;

    born(s, 0, START);
    supervisor_ready(s, 0, START);
    supervisor_retired(s, 0, START, START + 60000 * MS);
    assert_int_equal(watch_at(s, 0, 10000), WATCH_WARNED);
    assert_int_equal(watch_at(s, 0, 10500), WATCH_ABORTED);
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
#define WATCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        WATCH_TEST(supervisor_warns_aborts_and_kills_a_silent_child_once_each),
        WATCH_TEST(supervisor_forgives_a_child_whose_heart_beats_again),
        WATCH_TEST(supervisor_never_kills_whom_it_did_not_abort),
        WATCH_TEST(supervisor_watches_a_child_that_retires),
        WATCH_TEST(supervisor_skips_a_round_when_it_was_stopped_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
