/*
 * test_loader.c - who is asked what, when, and together with whom.
 *
 * What becomes of a batch that did not come back whole is in test_loader_outcomes.c.
 */
#include "tests/unit/loader_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
loader_asks_once_for_the_same_id(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *second = bench_want(b, 1, "7"),
                 *again = bench_want(b, 0, "7");

    bench_end_turn(b);
    assert_int_equal(b->fetches, 1);
    assert_string_equal(bench_ids(b, 0), "7");
    assert_int_equal(metrics_get(&b->metrics, METRIC_coalesced), 2);
    bench_complete(b, 0);
    assert_found(first, "{\"id\":\"7\"}");
    assert_found(second, "{\"id\":\"7\"}");
    assert_found(again, "{\"id\":\"7\"}");
    bench_end_turn(b);
    assert_int_equal(b->fetches, 1);
    assert_true(loader_idle(b->loader));
}

static void
loader_asks_nothing_before_the_end_of_the_turn(void **state)
{
    struct bench *b = *state;

    assert_true(loader_idle(b->loader));
    bench_want(b, 0, "1");
    bench_want(b, 0, "2");
    assert_int_equal(b->fetches, 0);
    assert_false(loader_idle(b->loader));
    assert_int_equal(metrics_get(&b->metrics, METRIC_queued_ids), 2);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "1 2");
    assert_int_equal(metrics_get(&b->metrics, METRIC_queued_ids), 0);
    assert_int_equal(metrics_get(&b->metrics, METRIC_inflight_statements), 1);
}

static void
loader_tells_apart_ids_that_differ_in_any_byte(void **state)
{
    struct bench *b = *state;
    struct heard *upper = bench_want(b, 0, "A"), *lower = bench_want(b, 0, "a"),
                 *longer = bench_want(b, 0, "a.");

    bench_end_turn(b);
    assert_int_equal(b->ids_asked, 3);
    bench_row(b, 0, "a");
    assert_int_equal(batch_find(b->held[0], SPAN("")), -1);
    assert_int_equal(batch_find(b->held[0], SPAN("b")), -1);
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(upper, ITEM_MISS);
    assert_found(lower, "{\"id\":\"a\"}");
    assert_heard(longer, ITEM_MISS);
}

static void
loader_accounts_for_every_id_of_a_batch(void **state)
{
    struct bench *b = *state;
    struct heard *found = bench_want(b, 0, "1"), *missing = bench_want(b, 0, "2"),
                 *large = bench_want(b, 0, "3"), *last = bench_want(b, 0, "4");

    bench_end_turn(b);
    bench_row(b, 0, "4");
    bench_row_failed(b, 0, "3", ITEM_FAIL_TOOBIG);
    bench_row(b, 0, "1");
    assert_silence(found);
    bench_done(b, 0, BATCH_COMPLETE);
    assert_found(found, "{\"id\":\"1\"}");
    assert_heard(missing, ITEM_MISS);
    assert_heard(large, ITEM_FAIL_TOOBIG);
    assert_found(last, "{\"id\":\"4\"}");
}

static void
loader_sends_together_what_was_wanted_meanwhile(void **state)
{
    struct bench *b = *state;

    bench_want(b, 0, "1");
    bench_end_turn(b);
    bench_want_many(b, 1, 10, 3);
    bench_end_turn(b);
    bench_want_many(b, 2, 20, 2);
    bench_end_turn(b);
    assert_int_equal(b->fetches, 1);
    bench_complete(b, 0);
    bench_end_turn(b);
    assert_int_equal(b->fetches, 2);
    assert_string_equal(bench_ids(b, 0), "10 20 11 21 12");
}

static void
loader_uses_all_the_room_of_its_source(void **state)
{
    struct bench *b = *state;

    b->room = 2;
    bench_want(b, 0, "1");
    bench_end_turn(b);
    bench_want(b, 0, "2");
    bench_end_turn(b);
    bench_want(b, 0, "3");
    bench_end_turn(b);
    assert_int_equal(b->fetches, 2);
    assert_int_equal(metrics_get(&b->metrics, METRIC_inflight_statements), 2);
    assert_int_equal(batch_find(b->held[0], SPAN("2")), -1);
    assert_int_equal(batch_find(b->held[1], SPAN("2")), 0);
    bench_complete(b, 1); /* out of order */
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "1");
    assert_string_equal(bench_ids(b, 1), "3");
}

static void
loader_cuts_batches_at_max_batch(void **state)
{
    struct bench *b = *state;

    b->room = 3;
    bench_want_many(b, 0, 1, 2 * BENCH_MAX_BATCH + 1);
    bench_end_turn(b);
    assert_int_equal(b->fetches, 3);
    assert_int_equal(batch_size(b->held[0]), BENCH_MAX_BATCH);
    assert_int_equal(batch_size(b->held[1]), BENCH_MAX_BATCH);
    assert_int_equal(batch_size(b->held[2]), 1);
}

static void
loader_cuts_batches_by_expected_bytes(void **state)
{
    struct bench *b = *state;

    b->batch_ids = 3;
    bench_want_many(b, 0, 1, 5);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "1 2 3");
    b->batch_ids = 1; /* asked anew for every batch */
    bench_complete(b, 0);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "4");
}

static void
loader_takes_the_flows_in_turn(void **state)
{
    struct bench *b = *state;
    struct heard *small;

    bench_want_many(b, 0, 1000, 1000);
    small = bench_want(b, 1, "7");
    bench_end_turn(b);
    assert_int_equal(batch_find(b->held[0], SPAN("7")), 1);
    assert_int_equal(batch_size(b->held[0]), BENCH_MAX_BATCH);
    bench_complete(b, 0);
    assert_heard(small, ITEM_FOUND);
    bench_end_turn(b);
    bench_want(b, 2, "8"); /* arrives between two batches of the large one */
    bench_complete(b, 0);
    bench_end_turn(b);
    assert_in_range(batch_find(b->held[0], SPAN("8")), 0, 1);
}

static void
loader_splits_a_batch_evenly_between_flows(void **state)
{
    struct bench *b = *state;

    b->batch_ids = 6;
    bench_want_many(b, 0, 10, 9);
    bench_want_many(b, 1, 20, 9);
    bench_want_many(b, 2, 30, 1);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "10 20 30 11 21 12");
    bench_complete(b, 0);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "22 13 23 14 24 15");
}

static void
loader_lets_an_id_of_two_flows_count_once(void **state)
{
    struct bench *b = *state;

    b->batch_ids = 2;
    bench_want_many(b, 0, 1, 2);
    bench_want_many(b, 1, 1, 3);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "1 2");
    bench_complete(b, 0);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "3");
    assert_int_equal(b->ids_asked, 3);
}

static void
loader_joins_what_is_in_flight(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *late;

    bench_end_turn(b);
    late = bench_want(b, 1, "7");
    assert_true(loader_idle(b->loader));
    bench_end_turn(b);
    assert_silence(late);
    bench_complete(b, 0);
    assert_heard(first, ITEM_FOUND);
    assert_heard(late, ITEM_FOUND);
    assert_int_equal(b->ids_asked, 1);
    late = bench_want(b, 1, "7"); /* answered: a new question */
    bench_end_turn(b);
    assert_int_equal(b->ids_asked, 2);
    bench_complete(b, 0);
    assert_heard(late, ITEM_FOUND);
}

static void
loader_lets_a_fresh_want_join_what_is_not_sent_yet(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *fresh = bench_want_fresh(b, 1, "7"),
                 *last = bench_want(b, 2, "7");

    assert_int_equal(metrics_get(&b->metrics, METRIC_coalesced), 2);
    assert_int_equal(metrics_get(&b->metrics, METRIC_queued_ids), 1);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "7");
    bench_complete(b, 0);
    assert_heard(first, ITEM_FOUND);
    assert_heard(fresh, ITEM_FOUND);
    assert_heard(last, ITEM_FOUND);
    assert_int_equal(b->fetches, 1);
}

static void
loader_never_lets_a_fresh_want_join_what_was_sent(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *fresh, *also;

    b->room = 2;
    bench_end_turn(b);
    fresh = bench_want_fresh(b, 1, "7");
    also = bench_want_fresh(b, 2, "7"); /* joins the fresh one, not yet sent */
    assert_int_equal(metrics_get(&b->metrics, METRIC_queued_ids), 1);
    bench_end_turn(b);
    assert_int_equal(b->fetches, 2);
    assert_string_equal(bench_ids(b, 1), "7");
    bench_done(b, 0, BATCH_COMPLETE); /* there was no such row when it was asked */
    assert_heard(first, ITEM_MISS);
    assert_silence(fresh);
    bench_complete(b, 0);
    assert_found(fresh, "{\"id\":\"7\"}");
    assert_found(also, "{\"id\":\"7\"}");
}

static void
loader_answers_two_statements_of_one_id_each_to_its_own(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *fresh, *third;

    b->room = 3;
    bench_end_turn(b);
    fresh = bench_want_fresh(b, 0, "7");
    bench_end_turn(b);
    third = bench_want_fresh(b, 0, "7"); /* two are on their way: neither will do */
    bench_end_turn(b);
    assert_int_equal(b->fetches, 3);
    bench_complete(b, 1); /* out of order */
    assert_silence(first);
    assert_heard(fresh, ITEM_FOUND);
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(first, ITEM_MISS);
    assert_silence(third);
    bench_complete(b, 0);
    assert_heard(third, ITEM_FOUND);
    assert_true(loader_idle(b->loader));
}

static void
loader_cancels_one_of_two_wants_of_an_id_alone(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *fresh, *other;

    bench_end_turn(b);
    fresh = bench_want_fresh(b, 1, "7");
    loader_cancel(&fresh->waiter);
    assert_int_equal(metrics_get(&b->metrics, METRIC_queued_ids), 0);
    other = bench_want(b, 2, "7"); /* may join what is on its way */
    assert_true(loader_idle(b->loader));
    bench_complete(b, 0);
    bench_end_turn(b);
    assert_heard(first, ITEM_FOUND);
    assert_heard(other, ITEM_FOUND);
    assert_silence(fresh);
    assert_int_equal(b->fetches, 1);
}

static void
loader_never_sends_what_nobody_waits_for(void **state)
{
    struct bench *b = *state;
    struct heard *gone = bench_want(b, 0, "1"), *half = bench_want(b, 0, "2"),
                 *other = bench_want(b, 1, "2");

    loader_cancel(&gone->waiter);
    loader_cancel(&gone->waiter); /* harmless */
    loader_cancel(&half->waiter);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "2");
    bench_complete(b, 0);
    assert_silence(gone);
    assert_silence(half);
    assert_heard(other, ITEM_FOUND);
    loader_cancel(&other->waiter); /* after its answer */
    assert_heard(other, ITEM_FOUND);
    loader_cancel(&bench_want(b, 3, "9")->waiter);
    assert_true(loader_idle(b->loader));
    bench_end_turn(b);
    assert_int_equal(b->fetches, 1);
}

static void
loader_forgets_a_waiter_cancelled_in_flight(void **state)
{
    struct bench *b = *state;
    struct heard *gone = bench_want(b, 0, "1"), *stays = bench_want(b, 0, "2"), *back;

    bench_end_turn(b);
    loader_cancel(&gone->waiter);
    assert_int_equal(batch_find(b->held[0], SPAN("1")), 0); /* it was asked */
    back = bench_want(b, 1, "1");
    bench_complete(b, 0);
    assert_silence(gone);
    assert_heard(stays, ITEM_FOUND);
    assert_heard(back, ITEM_FOUND);
    assert_int_equal(b->ids_asked, 2);
}

static void
loader_flow_may_go_when_its_waiters_are_gone(void **state)
{
    struct bench *b = *state;
    struct loader_flow flow;
    struct loader_waiter w = { .deadline = b->now };

    loader_flow_init(&flow);
    assert_int_equal(loader_want(b->loader, &flow, SPAN("1"), &w), 0);
    loader_cancel(&w);
    loader_flow_fini(&flow);
    memset(&flow, 0x5a, sizeof(flow));
    bench_want(b, 0, "2");
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "2");
}

static void
batch_budget_is_the_longest_wait(void **state)
{
    struct bench *b = *state;
    struct heard *longest;

    bench_want_until(b, 0, "1", b->now + 5000);
    longest = bench_want_until(b, 1, "1", b->now + 70000);
    bench_want_until(b, 0, "2", b->now + 30000);
    bench_end_turn(b);
    assert_int_equal(batch_budget(b->held[0], b->now), 70000);
    assert_int_equal(batch_budget(b->held[0], b->now + 60000), 10000);
    loader_cancel(&longest->waiter);
    assert_int_equal(batch_budget(b->held[0], b->now), 30000);
    assert_int_equal(batch_budget(b->held[0], b->now + 29900), USEC_PER_MSEC);
    assert_int_equal(batch_budget(b->held[0], b->now + 90000), USEC_PER_MSEC);
}

/* Nobody waits for all of a large batch to be kept and told. */
static void
loader_settles_a_large_batch_in_pieces(void **state)
{
    struct bench *b = *state;
    struct heard *first, *gone, *joined, *last;
    char id[16];
    unsigned i;

    bench_want_many(b, 0, 1, 100);
    first = &b->waiters[0];
    gone = &b->waiters[50];
    last = &b->waiters[99];
    bench_end_turn(b);
    for (i = 1; i < 100; i++) { /* the hundredth is missing */
        snprintf(id, sizeof(id), "%u", i);
        bench_row(b, 0, id);
    }
    bench_done(b, 0, BATCH_COMPLETE);
    assert_int_equal(metrics_get(&b->metrics, METRIC_inflight_statements), 0);
    assert_found(first, "{\"id\":\"1\"}");
    assert_silence(last);
    assert_true(loader_settling(b->loader));
    /* Meanwhile one gives up, another comes for the same, and the next batch leaves. */
    loader_cancel(&gone->waiter);
    joined = bench_want(b, 1, "90");
    bench_want(b, 1, "1000");
    bench_end_turn(b);
    assert_int_equal(b->fetches, 2);
    assert_string_equal(bench_ids(b, 0), "1000");
    for (i = 0; loader_settling(b->loader); i++)
        loader_settle(b->loader, 8);
    assert_in_range(i, 2, 99 / 8);
    assert_silence(gone);
    assert_found(joined, "{\"id\":\"90\"}");
    assert_found(&b->waiters[89], "{\"id\":\"90\"}");
    assert_heard(last, ITEM_MISS);
    for (i = 0; i < 100; i++)
        assert_int_equal(b->waiters[i].times, i != 50);
}

static void
loader_ends_with_a_batch_half_settled(void **state)
{
    struct bench *b = *state;

    bench_want_many(b, 0, 1, 100);
    bench_end_turn(b);
    bench_done(b, 0, BATCH_COMPLETE);
    assert_true(loader_settling(b->loader));
    /* bench_teardown cancels the others, and sees that nothing is left. */
}

int
main(void)
{
#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(loader_asks_once_for_the_same_id),
        BENCH_TEST(loader_asks_nothing_before_the_end_of_the_turn),
        BENCH_TEST(loader_tells_apart_ids_that_differ_in_any_byte),
        BENCH_TEST(loader_accounts_for_every_id_of_a_batch),
        BENCH_TEST(loader_sends_together_what_was_wanted_meanwhile),
        BENCH_TEST(loader_uses_all_the_room_of_its_source),
        BENCH_TEST(loader_cuts_batches_at_max_batch),
        BENCH_TEST(loader_cuts_batches_by_expected_bytes),
        BENCH_TEST(loader_takes_the_flows_in_turn),
        BENCH_TEST(loader_splits_a_batch_evenly_between_flows),
        BENCH_TEST(loader_lets_an_id_of_two_flows_count_once),
        BENCH_TEST(loader_joins_what_is_in_flight),
        BENCH_TEST(loader_lets_a_fresh_want_join_what_is_not_sent_yet),
        BENCH_TEST(loader_never_lets_a_fresh_want_join_what_was_sent),
        BENCH_TEST(loader_answers_two_statements_of_one_id_each_to_its_own),
        BENCH_TEST(loader_cancels_one_of_two_wants_of_an_id_alone),
        BENCH_TEST(loader_never_sends_what_nobody_waits_for),
        BENCH_TEST(loader_forgets_a_waiter_cancelled_in_flight),
        BENCH_TEST(loader_flow_may_go_when_its_waiters_are_gone),
        BENCH_TEST(batch_budget_is_the_longest_wait),
        BENCH_TEST(loader_settles_a_large_batch_in_pieces),
        BENCH_TEST(loader_ends_with_a_batch_half_settled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
