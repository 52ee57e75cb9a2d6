/*
 * test_want.c - two workers that want the same ids: one asks, the other waits for it.
 */
#include "tests/unit/cache_fixture.h"
#include "tests/unit/loader_fixture.h"

#include "server/source/batch.h"
#include "server/source/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SLOTS 4

/* A worker: its loader, and its view of the region. */
struct side {
    struct bench *bench;
    struct cache *cache;
    struct lookup lookup;
};

struct pair {
    struct cache *master;
    struct side a, b;
};

static void
side_open(struct side *side, struct cache *master, size_t slot)
{
    const struct lookup_policy policy = { .fresh = 60 * USEC_PER_SEC,
                                          .negative = 60 * USEC_PER_SEC,
                                          .stale = 60 * USEC_PER_SEC };
    void *state;

    assert_int_equal(bench_setup(&state), 0);
    side->bench = state;
    side->bench->source.fingerprint = 9;
    side->cache = fixture_view(master, CACHE_BYTES_MIN, SLOTS, slot);
    assert_non_null(side->cache);
    lookup_init(&side->lookup, side->cache, &side->bench->source, &policy);
    loader_use_lookup(side->bench->loader, &side->lookup);
}

static void
side_close(struct side *side)
{
    void *state = side->bench;

    bench_teardown(&state);
    cache_free(&side->cache);
}

static int
set_up(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));

    if (p == NULL || (p->master = cache_new(CACHE_BYTES_MIN, SLOTS)) == NULL)
        return -1;
    side_open(&p->a, p->master, 0);
    side_open(&p->b, p->master, 1);
    *state = p;
    return 0;
}

static int
tear_down(void **state)
{
    struct pair *p = *state;

    side_close(&p->a);
    side_close(&p->b);
    cache_free(&p->master);
    free(p);
    return 0;
}

/* As the turns of their loops do; a while may pass before the test has a core again, so
 * they beat as late as anybody believes. */
static void
live(const struct pair *p)
{
    lease_beat(p->a.cache, clock_now() + LEASE_SILENCE - USEC_PER_MSEC);
    lease_beat(p->b.cache, clock_now() + LEASE_SILENCE - USEC_PER_MSEC);
}

/* 'a' has asked for "7", and somebody in 'b' waits for that. */
static struct heard *
wait_in_b(struct pair *p)
{
    struct heard *h;

    bench_want(p->a.bench, 0, "7");
    bench_end_turn(p->a.bench);
    assert_string_equal(bench_ids(p->a.bench, 0), "7");
    live(p);
    h = bench_want(p->b.bench, 0, "7");
    bench_end_turn(p->b.bench);
    assert_int_equal(p->b.bench->fetches, 0);
    return h;
}

static void
wake(struct side *side)
{
    loader_wake(side->bench->loader, clock_now());
}

static void
one_asks_and_the_other_takes_what_it_stored(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p);

    wake(&p->b);
    assert_silence(h);
    bench_complete(p->a.bench, 0);
    assert_silence(h);
    wake(&p->b);
    assert_found(h, "{\"id\":\"7\"}");
    assert_int_equal(h->waiter.origin, ITEM_FROM_LEASE);
    assert_int_equal(p->b.bench->fetches, 0);
    assert_int_equal(metrics_get(&p->b.bench->metrics, METRIC_lease_waits), 1);
}

static void
absence_is_told_as_well(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p);

    bench_done(p->a.bench, 0, BATCH_COMPLETE);
    wake(&p->b);
    assert_heard(h, ITEM_MISS);
}

static void
whoever_waits_for_a_failure_asks_for_himself(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p);

    bench_row_failed(p->a.bench, 0, "7", ITEM_FAIL_TOOBIG);
    bench_done(p->a.bench, 0, BATCH_COMPLETE);
    wake(&p->b);
    assert_silence(h);
    bench_end_turn(p->b.bench);
    assert_string_equal(bench_ids(p->b.bench, 0), "7");
    bench_complete(p->b.bench, 0);
    assert_heard(h, ITEM_FOUND);
}

static void
the_death_of_the_owner_hands_the_id_on(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p);

    cache_slot_died(p->master, 0);
    wake(&p->b);
    bench_end_turn(p->b.bench);
    assert_string_equal(bench_ids(p->b.bench, 0), "7");
    assert_int_equal(metrics_get(&p->b.bench->metrics, METRIC_lease_takeovers), 1);
    bench_complete(p->b.bench, 0);
    assert_heard(h, ITEM_FOUND);
}

static void
an_owner_that_is_silent_too_long_is_not_waited_for(void **state)
{
    struct pair *p = *state;
    usec_t at;

    wait_in_b(p);
    at = loader_recheck_at(p->b.bench->loader);
    assert_in_range(at, 1, clock_now() + 2 * LEASE_SILENCE);
    loader_wake(p->b.bench->loader, at);
    bench_end_turn(p->b.bench);
    assert_string_equal(bench_ids(p->b.bench, 0), "7");
    assert_int_equal(loader_recheck_at(p->b.bench->loader), 0);
}

static void
an_owner_that_says_so_is_waited_for_however_slow_its_source_is(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p);
    usec_t at;
    int beat;

    assert_true(loader_leases(p->a.bench->loader));
    for (beat = 0; beat < 100; beat++) {
        at = loader_recheck_at(p->b.bench->loader);
        lease_beat(p->a.cache, at - 1);
        loader_wake(p->b.bench->loader, at);
        assert_true(loader_recheck_at(p->b.bench->loader) > at);
    }
    bench_end_turn(p->b.bench);
    assert_int_equal(p->b.bench->fetches, 0);
    bench_complete(p->a.bench, 0);
    assert_false(loader_leases(p->a.bench->loader));
    loader_wake(p->b.bench->loader, at);
    assert_heard(h, ITEM_FOUND);
}

static void
a_want_that_nobody_waits_for_any_more_gives_its_lease_back(void **state)
{
    struct pair *p = *state;
    struct heard *first = bench_want(p->a.bench, 0, "7"), *h;

    h = bench_want(p->b.bench, 0, "7");
    loader_cancel(&first->waiter);
    wake(&p->b);
    bench_end_turn(p->b.bench);
    bench_complete(p->b.bench, 0);
    assert_heard(h, ITEM_FOUND);
}

static void
cancelled_waiters_of_another_workers_fetch_are_forgotten(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p);

    loader_cancel(&h->waiter);
    bench_complete(p->a.bench, 0);
    wake(&p->b);
    assert_silence(h);
    assert_int_equal(metrics_get(&p->b.bench->metrics, METRIC_queued_ids), 0);
}

static void
who_takes_nothing_old_waits_for_nobody(void **state)
{
    struct pair *p = *state;
    struct heard *h;

    wait_in_b(p);
    h = bench_want_fresh(p->b.bench, 1, "7");
    bench_end_turn(p->b.bench);
    assert_string_equal(bench_ids(p->b.bench, 0), "7");
    bench_complete(p->b.bench, 0);
    assert_heard(h, ITEM_FOUND);
}

static void
what_was_invalidated_meanwhile_is_neither_joined_nor_taken(void **state)
{
    struct pair *p = *state;
    struct heard *h = wait_in_b(p), *later;
    struct cache_key key;

    lookup_key(&p->b.lookup, SPAN("7"), &key);
    cache_invalidate(p->b.cache, &key, clock_now());
    later = bench_want(p->a.bench, 1, "7"); /* a statement is under way, from before */
    bench_complete(p->a.bench, 0);
    assert_silence(later);
    wake(&p->b);
    assert_silence(h);
    bench_end_turn(p->a.bench);
    bench_end_turn(p->b.bench);
    assert_int_equal(p->a.bench->fetches + p->b.bench->fetches, 3);
    bench_complete(p->a.bench, 0);
    bench_complete(p->b.bench, 0);
    assert_heard(h, ITEM_FOUND);
    assert_heard(later, ITEM_FOUND);
}

static void
a_stale_item_is_fetched_anew_by_one_of_them(void **state)
{
    struct pair *p = *state;
    usec_t now = clock_now();

    loader_refresh(p->a.bench->loader, SPAN("7"), now);
    loader_refresh(p->a.bench->loader, SPAN("7"), now);
    loader_refresh(p->b.bench->loader, SPAN("7"), now);
    bench_end_turn(p->a.bench);
    bench_end_turn(p->b.bench);
    assert_int_equal(p->a.bench->ids_asked, 1);
    assert_int_equal(p->b.bench->ids_asked, 0);
    bench_complete(p->a.bench, 0);
    loader_refresh(p->b.bench->loader, SPAN("7"), now); /* and once more, at the end */
    bench_end_turn(p->b.bench);
    assert_int_equal(p->b.bench->ids_asked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_asks_and_the_other_takes_what_it_stored),
        TEST(absence_is_told_as_well),
        TEST(whoever_waits_for_a_failure_asks_for_himself),
        TEST(the_death_of_the_owner_hands_the_id_on),
        TEST(an_owner_that_is_silent_too_long_is_not_waited_for),
        TEST(an_owner_that_says_so_is_waited_for_however_slow_its_source_is),
        TEST(a_want_that_nobody_waits_for_any_more_gives_its_lease_back),
        TEST(cancelled_waiters_of_another_workers_fetch_are_forgotten),
        TEST(who_takes_nothing_old_waits_for_nobody),
        TEST(what_was_invalidated_meanwhile_is_neither_joined_nor_taken),
        TEST(a_stale_item_is_fetched_anew_by_one_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
