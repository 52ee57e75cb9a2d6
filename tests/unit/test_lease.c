/*
 * test_lease.c - at most one owner, and everybody who waits is woken.
 *
 * Real processes are in test_cache_death.c; here are two views of one region.
 */
#include "server/cache/lease.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SOURCE 1
#define CAPACITY 8
#define MSEC USEC_PER_MSEC
#define NOW ((usec_t)1000000)
#define LONG (20 * USEC_PER_SEC)

struct bench {
    struct cache *master;
    struct cache *a;
    struct cache *b;
    struct cache_key key;
    struct lease mine;
    struct lease ticket;
};

static struct cache *
view(struct cache *master, size_t slot)
{
    int fds[CACHE_FDS_MAX];
    size_t i, n = cache_fds(master, fds);
    struct cache *c;

    for (i = 0; i < n; i++)
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    c = cache_adopt(fds, n, CACHE_BYTES_MIN, CAPACITY);
    assert_non_null(c);
    cache_join(c, slot);
    return c;
}

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    if (b == NULL || (b->master = cache_new(CACHE_BYTES_MIN, CAPACITY)) == NULL)
        return -1;
    b->a = view(b->master, 0);
    b->b = view(b->master, 1);
    cache_key(b->master, SOURCE, SPAN("7"), &b->key);
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    cache_free(&b->a);
    cache_free(&b->b);
    cache_free(&b->master);
    free(b);
    return 0;
}

/* Takes the eventfd's count: the product never reads it, so only the first wake would
 * show here. */
static bool
woken(const struct cache *c)
{
    uint64_t count;

    return read(cache_wake_fd(c), &count, sizeof(count)) == sizeof(count);
}

static void
take_and_wait(struct bench *b)
{
    assert_int_equal(lease_take(b->a, &b->key, NOW, 100 * MSEC, &b->mine), LEASE_MINE);
    assert_int_equal(lease_take(b->b, &b->key, NOW, 100 * MSEC, &b->ticket),
                     LEASE_ELSEWHERE);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_HELD);
    assert_false(woken(b->b));
}

static void
lease_has_one_owner_and_others_hear_its_verdict(void **state)
{
    static const enum lease_state verdicts[] = { LEASE_STORED, LEASE_ABSENT, LEASE_FAILED,
                                                 LEASE_NOT_STORED };
    struct bench *b = *state;
    size_t i;

    for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        take_and_wait(b);
        assert_true(lease_finish(b->a, &b->mine, verdicts[i], NOW));
        assert_true(woken(b->b));
        assert_int_equal(lease_look(b->b, &b->ticket, NOW), verdicts[i]);
        assert_false(lease_finish(b->a, &b->mine, LEASE_FAILED, NOW));
    }
}

static void
lease_nobody_waits_nobody_is_woken(void **state)
{
    struct bench *b = *state;

    assert_int_equal(lease_take(b->a, &b->key, NOW, 100 * MSEC, &b->mine), LEASE_MINE);
    assert_true(lease_finish(b->a, &b->mine, LEASE_STORED, NOW));
    assert_false(woken(b->a));
    assert_false(woken(b->b));
}

static void
lease_abandoned_goes_to_the_next_who_takes_it(void **state)
{
    struct bench *b = *state;

    take_and_wait(b);
    assert_true(lease_finish(b->a, &b->mine, LEASE_LOST, 0));
    assert_true(woken(b->b));
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_LOST);
    assert_int_equal(lease_take(b->b, &b->key, NOW, 100 * MSEC, &b->ticket), LEASE_MINE);
    assert_int_equal(lease_take(b->a, &b->key, NOW, 100 * MSEC, &b->mine),
                     LEASE_ELSEWHERE);
}

static void
lease_of_the_dead_wakes_and_has_one_successor(void **state)
{
    struct bench *b = *state;
    struct cache *third = view(b->master, 2);
    struct lease next;

    take_and_wait(b);
    assert_int_equal(lease_take(third, &b->key, NOW, 100 * MSEC, &next), LEASE_ELSEWHERE);
    cache_slot_died(b->master, 0);
    assert_true(woken(b->b));
    assert_true(woken(third));
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_LOST);
    assert_int_equal(lease_take(b->b, &b->key, NOW, 100 * MSEC, &b->ticket), LEASE_MINE);
    assert_int_equal(lease_look(third, &next, NOW), LEASE_LOST);
    assert_int_equal(lease_take(third, &b->key, NOW, 100 * MSEC, &next), LEASE_ELSEWHERE);
    assert_false(lease_finish(b->a, &b->mine, LEASE_STORED, NOW));
    assert_true(lease_finish(b->b, &b->ticket, LEASE_STORED, NOW));
    assert_int_equal(lease_look(third, &next, NOW), LEASE_STORED);
    cache_free(&third);
}

static void
lease_expires_and_its_owner_hears_of_it(void **state)
{
    struct bench *b = *state;
    usec_t late;

    assert_int_equal(lease_take(b->a, &b->key, NOW, 50 * MSEC, &b->mine), LEASE_MINE);
    assert_int_equal(lease_take(b->b, &b->key, NOW, 50 * MSEC, &b->ticket),
                     LEASE_ELSEWHERE);
    late = b->ticket.look_at;
    assert_in_range(late, NOW + 50 * MSEC, NOW + 51 * MSEC);
    assert_int_equal(lease_look(b->b, &b->ticket, late - MSEC), LEASE_HELD);
    assert_int_equal(lease_look(b->b, &b->ticket, late), LEASE_LOST);
    assert_int_equal(lease_take(b->b, &b->key, late, 100 * MSEC, &b->ticket), LEASE_MINE);
    assert_false(lease_finish(b->a, &b->mine, LEASE_STORED, NOW));
    assert_true(lease_finish(b->b, &b->ticket, LEASE_STORED, NOW));
}

/* Far beyond any silence, and not a word more than one for all that it owns. */
static void
lease_lasts_while_its_owner_beats(void **state)
{
    struct bench *b = *state;
    struct cache_key key;
    struct lease other, ticket;
    usec_t now;

    cache_key(b->master, SOURCE, SPAN("8"), &key);
    assert_int_equal(lease_take(b->a, &b->key, NOW, LONG, &b->mine), LEASE_MINE);
    assert_int_equal(lease_take(b->a, &key, NOW, LONG, &other), LEASE_MINE);
    assert_int_equal(lease_take(b->b, &b->key, NOW, LONG, &b->ticket), LEASE_ELSEWHERE);
    assert_int_equal(lease_take(b->b, &key, NOW, LONG, &ticket), LEASE_ELSEWHERE);
    for (now = NOW; now < NOW + 5 * USEC_PER_SEC; now = lease_beat_at(b->a)) {
        lease_beat(b->a, now);
        assert_int_equal(lease_look(b->b, &b->ticket, now), LEASE_HELD);
        assert_int_equal(lease_look(b->b, &ticket, now), LEASE_HELD);
        assert_int_equal(b->ticket.look_at, now + LEASE_SILENCE);
    }
    assert_int_equal(lease_take(b->b, &b->key, now, LONG, &ticket), LEASE_ELSEWHERE);
    assert_true(lease_finish(b->a, &b->mine, LEASE_STORED, NOW));
    assert_int_equal(lease_look(b->b, &b->ticket, now), LEASE_STORED);
}

static void
lease_of_the_silent_goes_to_one_successor(void **state)
{
    struct bench *b = *state;
    struct lease again;
    usec_t late = NOW + LEASE_SILENCE;

    assert_int_equal(lease_take(b->a, &b->key, NOW, LONG, &b->mine), LEASE_MINE);
    assert_int_equal(lease_take(b->b, &b->key, NOW, LONG, &b->ticket), LEASE_ELSEWHERE);
    assert_int_equal(b->ticket.look_at, late);
    assert_int_equal(lease_look(b->b, &b->ticket, late - 1), LEASE_HELD);
    assert_int_equal(lease_look(b->b, &b->ticket, late), LEASE_LOST);
    assert_int_equal(lease_take(b->b, &b->key, late, LONG, &b->ticket), LEASE_MINE);
    lease_beat(b->a, late); /* it goes on, too late */
    assert_int_equal(lease_take(b->a, &b->key, late, LONG, &again), LEASE_ELSEWHERE);
    assert_false(lease_finish(b->a, &b->mine, LEASE_STORED, NOW));
}

/* The slot was idle for long when its lease is taken: that alone shows that it lives. */
static void
lease_taken_is_a_beat(void **state)
{
    struct bench *b = *state;
    usec_t later = NOW + USEC_PER_SEC;

    lease_beat(b->a, NOW);
    assert_int_equal(lease_take(b->a, &b->key, later, LONG, &b->mine), LEASE_MINE);
    assert_int_equal(lease_take(b->b, &b->key, later, LONG, &b->ticket), LEASE_ELSEWHERE);
    assert_int_equal(lease_beat_at(b->a), later + LEASE_BEAT);
}

/* Clocks are read a little apart; a flipped bit is not a little. */
static void
lease_beat_from_the_future_counts_only_when_it_is_near(void **state)
{
    struct bench *b = *state;
    usec_t earlier = NOW - LEASE_SILENCE;

    assert_int_equal(lease_take(b->a, &b->key, NOW, LONG, &b->mine), LEASE_MINE);
    b->ticket = b->mine;
    assert_int_equal(lease_look(b->b, &b->ticket, earlier), LEASE_HELD);
    assert_int_equal(lease_look(b->b, &b->ticket, earlier - 1), LEASE_LOST);
    lease_beat(b->a, (usec_t)1 << 63);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_LOST);
    lease_beat(b->a, UINT64_MAX);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_LOST);
}

static void
lease_absence_does_not_outlive_an_invalidation(void **state)
{
    struct bench *b = *state;

    take_and_wait(b);
    lease_finish(b->a, &b->mine, LEASE_ABSENT, NOW);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_ABSENT);
    cache_invalidate(b->b, &b->key, NOW);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_NOT_STORED);
}

/* Two keys at one place of the table: one of them has no lease, and neither ever hears
 * the other's verdict. */
static void
lease_full_place_means_fetch_for_yourself(void **state)
{
    struct bench *b = *state;
    struct cache_key other = b->key, twin = b->key;
    struct lease none;

    other.hash ^= 1;                /* another tag */
    twin.hash ^= (uint64_t)1 << 60; /* the same place and tag: another key all the same */
    take_and_wait(b);
    assert_int_equal(lease_take(b->b, &other, NOW, 100 * MSEC, &none), LEASE_NONE);
    assert_int_equal(lease_take(b->b, &twin, NOW, 100 * MSEC, &none), LEASE_ELSEWHERE);
    lease_finish(b->a, &b->mine, LEASE_ABSENT, NOW);
    assert_int_equal(lease_look(b->b, &none, NOW), LEASE_LOST);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_ABSENT);
    assert_int_equal(lease_take(b->b, &other, NOW, 100 * MSEC, &none), LEASE_MINE);
    assert_int_equal(lease_look(b->b, &b->ticket, NOW), LEASE_LOST);
}

static void
lease_is_not_for_who_has_not_joined(void **state)
{
    struct bench *b = *state;
    struct lease none;

    assert_int_equal(lease_take(b->master, &b->key, NOW, 100 * MSEC, &none), LEASE_NONE);
}

static void
lease_never_lasts_longer_than_a_minute(void **state)
{
    struct bench *b = *state;

    assert_int_equal(lease_take(b->a, &b->key, NOW, 3600 * USEC_PER_SEC, &b->mine),
                     LEASE_MINE);
    lease_beat(b->a, NOW + LEASE_DURATION_MAX);
    assert_int_equal(lease_look(b->b, &b->mine, NOW + LEASE_DURATION_MAX - 10 * MSEC),
                     LEASE_HELD);
    assert_int_equal(lease_look(b->b, &b->mine, NOW + LEASE_DURATION_MAX + 10 * MSEC),
                     LEASE_LOST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lease_has_one_owner_and_others_hear_its_verdict,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(lease_nobody_waits_nobody_is_woken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lease_abandoned_goes_to_the_next_who_takes_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(lease_of_the_dead_wakes_and_has_one_successor,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(lease_expires_and_its_owner_hears_of_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lease_lasts_while_its_owner_beats, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lease_of_the_silent_goes_to_one_successor, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lease_taken_is_a_beat, setup, teardown),
        cmocka_unit_test_setup_teardown(
            lease_beat_from_the_future_counts_only_when_it_is_near, setup, teardown),
        cmocka_unit_test_setup_teardown(lease_absence_does_not_outlive_an_invalidation,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(lease_full_place_means_fetch_for_yourself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lease_is_not_for_who_has_not_joined, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lease_never_lasts_longer_than_a_minute, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
