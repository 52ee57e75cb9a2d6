/*
 * test_loader_outcomes.c - what becomes of a batch that did not come back whole, and of
 * wants whose source is away.
 */
#include "tests/unit/loader_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
loader_fails_a_batch_that_failed(void **state)
{
    struct bench *b = *state;
    struct heard *came = bench_want(b, 0, "1"), *open = bench_want(b, 0, "2");

    bench_end_turn(b);
    bench_row(b, 0, "1");
    bench_done(b, 0, BATCH_FAILED);
    assert_heard(came, ITEM_FOUND);
    assert_heard(open, ITEM_FAIL_DATABASE);
    bench_end_turn(b);
    assert_int_equal(b->fetches, 1);
}

static void
loader_asks_once_more_after_a_loss(void **state)
{
    struct bench *b = *state;
    struct heard *came = bench_want(b, 0, "1"), *first = bench_want(b, 0, "2"),
                 *second = bench_want(b, 1, "3"), *joined;

    bench_end_turn(b);
    bench_row(b, 0, "1");
    bench_done(b, 0, BATCH_LOST);
    assert_heard(came, ITEM_FOUND);
    assert_silence(first);
    assert_silence(second);
    assert_false(loader_idle(b->loader));
    assert_int_equal(metrics_get(&b->metrics, METRIC_requeued), 2);
    joined = bench_want(b, 2, "2"); /* while it waits to be asked again */
    bench_want(b, 2, "9");
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "3 2"); /* before what is new */
    assert_int_equal(batch_find(b->held[0], SPAN("2")), 1);
    bench_row(b, 0, "2");
    bench_done(b, 0, BATCH_LOST);
    assert_found(first, "{\"id\":\"2\"}");
    assert_found(joined, "{\"id\":\"2\"}");
    assert_heard(second, ITEM_FAIL_DATABASE);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "9");
}

static void
loader_ends_a_timeout_for_those_without_time(void **state)
{
    struct bench *b = *state;
    struct heard *late = bench_want_until(b, 0, "1", b->now + 1000),
                 *early = bench_want_until(b, 0, "1", b->now + 9000),
                 *alone = bench_want_until(b, 1, "2", b->now + 1000);

    bench_end_turn(b);
    b->now += 1000;
    bench_done(b, 0, BATCH_TIMEOUT);
    assert_heard(late, ITEM_FAIL_TIMEOUT);
    assert_heard(alone, ITEM_FAIL_TIMEOUT);
    assert_silence(early);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "1"); /* nobody waits for 2 any more */
    assert_int_equal(batch_budget(b->held[0], b->now), 8000);
    bench_done(b, 0, BATCH_TIMEOUT);
    assert_silence(early); /* its deadline ends it, not the number of tries */
    bench_end_turn(b);
    b->now += 8000;
    bench_done(b, 0, BATCH_TIMEOUT);
    assert_heard(early, ITEM_FAIL_TIMEOUT);
    bench_end_turn(b);
    assert_int_equal(b->fetches, 3);
}

static void
loader_counts_losses_and_no_timeouts(void **state)
{
    struct bench *b = *state;
    struct heard *h = bench_want(b, 0, "1");

    bench_end_turn(b);
    bench_done(b, 0, BATCH_TIMEOUT);
    assert_silence(h);
    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    assert_silence(h);
    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    assert_heard(h, ITEM_FAIL_DATABASE);
    h = bench_want(b, 0, "1"); /* its own tries */
    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    bench_end_turn(b);
    bench_complete(b, 0);
    assert_heard(h, ITEM_FOUND);
}

/* What is asked again was asked before: a fresh want does not join it either. */
static void
loader_lets_a_fresh_want_join_no_second_try(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want(b, 0, "7"), *fresh;

    bench_end_turn(b);
    fresh = bench_want_fresh(b, 1, "7");
    bench_done(b, 0, BATCH_LOST);
    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    assert_heard(first, ITEM_FAIL_DATABASE);
    assert_silence(fresh);
    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST); /* its own tries */
    assert_silence(fresh);
    bench_end_turn(b);
    bench_complete(b, 0);
    assert_heard(fresh, ITEM_FOUND);
}

/* Answers every batch as a source would that does not accept 'bad'; returns how many
 * batches it took. */
static unsigned
run_with_bad(struct bench *b, const char *bad, enum batch_outcome outcome)
{
    unsigned before = b->fetches;

    do {
        bench_end_turn(b);
        if (b->nheld == 0)
            break;
        if (batch_find(b->held[0], span_str(bad)) == -1)
            bench_complete(b, 0);
        else
            bench_done(b, 0, outcome);
    } while (true);
    return b->fetches - before;
}

static void
check_one_bad_among(struct bench *b, unsigned n, unsigned bad, enum batch_outcome outcome,
                    enum item_status expected)
{
    struct heard *heard[BENCH_MAX_BATCH];
    unsigned i, batches;
    char id[16];

    for (i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%u", i);
        heard[i] = bench_want(b, i % BENCH_FLOWS, id);
    }
    snprintf(id, sizeof(id), "%u", bad);
    batches = run_with_bad(b, id, outcome);
    for (i = 0; i < n; i++)
        assert_heard(heard[i], i == bad ? expected : ITEM_FOUND);
    /* two halves a step, 2^7 = 128; and the whole, twice when it was cut */
    assert_true(batches <= 2 * 7 + 2);
    assert_true(loader_idle(b->loader));
}

static void
loader_halves_until_the_refused_id_is_alone(void **state)
{
    struct bench *b = *state;

    check_one_bad_among(b, 128, 77, BATCH_REFUSED, ITEM_FAIL_BADID);
    check_one_bad_among(b, 128, 0, BATCH_REFUSED, ITEM_FAIL_BADID);
    check_one_bad_among(b, 97, 96, BATCH_REFUSED, ITEM_FAIL_BADID);
    check_one_bad_among(b, 3, 1, BATCH_REFUSED, ITEM_FAIL_BADID);
    check_one_bad_among(b, 1, 0, BATCH_REFUSED, ITEM_FAIL_BADID);
}

static void
loader_halves_until_the_row_that_does_not_fit_is_alone(void **state)
{
    struct bench *b = *state;

    check_one_bad_among(b, 128, 127, BATCH_TOOBIG, ITEM_FAIL_TOOBIG);
    check_one_bad_among(b, 2, 0, BATCH_TOOBIG, ITEM_FAIL_TOOBIG);
}

static void
loader_halves_what_was_cut_twice(void **state)
{
    struct bench *b = *state;
    struct heard *came = bench_want(b, 0, "1"), *open = bench_want(b, 0, "2"),
                 *other = bench_want(b, 0, "3");

    bench_end_turn(b);
    bench_row(b, 0, "1");
    bench_done(b, 0, BATCH_CUT);
    assert_heard(came, ITEM_FOUND);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "2 3"); /* once more as it was */
    bench_done(b, 0, BATCH_CUT);
    assert_silence(open);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "2");
    bench_done(b, 0, BATCH_CUT);
    assert_heard(open, ITEM_FAIL_TOOBIG);
    bench_end_turn(b);
    bench_complete(b, 0);
    assert_heard(other, ITEM_FOUND);
    check_one_bad_among(b, 128, 33, BATCH_CUT, ITEM_FAIL_TOOBIG);
}

static void
loader_keeps_rows_that_came_before_a_refusal(void **state)
{
    struct bench *b = *state;
    struct heard *a = bench_want(b, 0, "a"), *c = bench_want(b, 0, "b"),
                 *d = bench_want(b, 0, "c");

    bench_end_turn(b);
    bench_row(b, 0, "a");
    bench_row_failed(b, 0, "b", ITEM_FAIL_UPSTREAM);
    bench_done(b, 0, BATCH_REFUSED);
    assert_heard(a, ITEM_FOUND);
    assert_heard(c, ITEM_FAIL_UPSTREAM);
    assert_silence(d);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "c");
    bench_done(b, 0, BATCH_REFUSED);
    assert_heard(d, ITEM_FAIL_BADID);
}

static void
loader_halves_without_those_who_left(void **state)
{
    struct bench *b = *state;
    struct heard *gone = bench_want(b, 0, "1"), *stays = bench_want(b, 0, "2");

    bench_end_turn(b);
    loader_cancel(&gone->waiter);
    bench_done(b, 0, BATCH_REFUSED);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "2");
    bench_complete(b, 0);
    assert_silence(gone);
    assert_heard(stays, ITEM_FOUND);
    assert_true(loader_idle(b->loader));
}

static void
loader_drops_what_lost_its_waiters_before_it_is_asked_again(void **state)
{
    struct bench *b = *state;
    struct heard *one = bench_want(b, 0, "1"), *two = bench_want(b, 0, "2"),
                 *three = bench_want(b, 0, "3");

    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    loader_cancel(&one->waiter);
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "2 3");
    assert_int_equal(batch_find(b->held[0], SPAN("3")), 1); /* places moved up */
    assert_int_equal(batch_find(b->held[0], SPAN("1")), -1);
    bench_row(b, 0, "3");
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(two, ITEM_MISS);
    assert_found(three, "{\"id\":\"3\"}");

    one = bench_want(b, 0, "1");
    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    loader_cancel(&one->waiter);
    bench_end_turn(b); /* nothing is left of that batch */
    assert_int_equal(b->fetches, 3);
    assert_true(loader_idle(b->loader));
    bench_want(b, 0, "1"); /* and the id can be wanted again */
    bench_end_turn(b);
    assert_string_equal(bench_ids(b, 0), "1");
}

static void
loader_fails_all_at_once_when_the_source_is_down(void **state)
{
    struct bench *b = *state;
    struct heard *lost = bench_want(b, 0, "1"), *queued, *many = NULL;
    unsigned i;
    char id[16];

    bench_end_turn(b);
    queued = bench_want(b, 1, "2");
    bench_done(b, 0, BATCH_LOST);
    for (i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "%u", 1000 + i);
        many = bench_want(b, i % BENCH_FLOWS, id);
    }
    b->state = SOURCE_DOWN;
    assert_silence(queued);
    bench_end_turn(b);
    assert_heard(lost, ITEM_FAIL_DATABASE);
    assert_heard(queued, ITEM_FAIL_DATABASE);
    for (i = 0; i < 1000; i++)
        assert_heard(many - i, ITEM_FAIL_DATABASE);
    assert_true(loader_idle(b->loader));
    assert_int_equal(b->fetches, 1);
}

static void
loader_leaves_a_batch_in_flight_to_its_source_when_it_goes_down(void **state)
{
    struct bench *b = *state;
    struct heard *h = bench_want(b, 0, "1"), *joined;

    bench_end_turn(b);
    b->state = SOURCE_DOWN;
    joined = bench_want(b, 0, "1");
    bench_end_turn(b);
    assert_silence(h);
    bench_complete(b, 0);
    assert_heard(h, ITEM_FOUND);
    assert_heard(joined, ITEM_FOUND);
}

static void
loader_waits_while_the_source_is_pending(void **state)
{
    struct bench *b = *state;
    struct heard *lost = bench_want(b, 0, "1"), *queued;

    bench_end_turn(b);
    bench_done(b, 0, BATCH_LOST);
    b->state = SOURCE_PENDING;
    queued = bench_want(b, 0, "2");
    bench_end_turn(b);
    bench_end_turn(b);
    assert_silence(lost);
    assert_silence(queued);
    assert_int_equal(b->fetches, 1);
    b->state = SOURCE_UP;
    b->room = 2;
    bench_end_turn(b);
    assert_int_equal(b->fetches, 3);
    bench_complete(b, 0);
    bench_complete(b, 0);
    assert_heard(lost, ITEM_FOUND);
    assert_heard(queued, ITEM_FOUND);
}

static struct span kept;
static struct item_pack *kept_pack;

static void
on_answer_keep(struct loader_waiter *w, enum item_status status, struct span json,
               struct item_pack *pack)
{
    (void)w;
    assert_int_equal(status, ITEM_FOUND);
    kept = json;
    kept_pack = item_pack_ref(pack);
}

static void
loader_items_outlive_their_batch_with_a_reference(void **state)
{
    struct bench *b = *state;
    struct heard *h = bench_want(b, 0, "1");

    h->waiter.answered = on_answer_keep;
    bench_end_turn(b);
    bench_complete(b, 0);
    assert_true(span_equal(kept, SPAN("{\"id\":\"1\"}")));
    item_pack_unref(&kept_pack);
    assert_null(kept_pack);
}

static struct heard *doomed;

static void
on_answer_cancel_the_next(struct loader_waiter *w, enum item_status status,
                          struct span json, struct item_pack *pack)
{
    (void)w;
    (void)json;
    (void)pack;
    assert_int_equal(status, ITEM_FAIL_TIMEOUT);
    loader_cancel(&doomed->waiter);
}

static void
loader_lets_an_answer_cancel_the_next_waiter(void **state)
{
    struct bench *b = *state;
    struct heard *first = bench_want_until(b, 0, "1", b->now), *last;

    first->waiter.answered = on_answer_cancel_the_next;
    doomed = bench_want_until(b, 0, "1", b->now);
    last = bench_want_until(b, 0, "1", b->now);
    bench_end_turn(b);
    bench_done(b, 0, BATCH_TIMEOUT);
    assert_silence(doomed);
    assert_heard(last, ITEM_FAIL_TIMEOUT);
}

int
main(void)
{
#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(loader_fails_a_batch_that_failed),
        BENCH_TEST(loader_asks_once_more_after_a_loss),
        BENCH_TEST(loader_ends_a_timeout_for_those_without_time),
        BENCH_TEST(loader_counts_losses_and_no_timeouts),
        BENCH_TEST(loader_lets_a_fresh_want_join_no_second_try),
        BENCH_TEST(loader_halves_until_the_refused_id_is_alone),
        BENCH_TEST(loader_halves_until_the_row_that_does_not_fit_is_alone),
        BENCH_TEST(loader_halves_what_was_cut_twice),
        BENCH_TEST(loader_keeps_rows_that_came_before_a_refusal),
        BENCH_TEST(loader_halves_without_those_who_left),
        BENCH_TEST(loader_drops_what_lost_its_waiters_before_it_is_asked_again),
        BENCH_TEST(loader_fails_all_at_once_when_the_source_is_down),
        BENCH_TEST(loader_leaves_a_batch_in_flight_to_its_source_when_it_goes_down),
        BENCH_TEST(loader_waits_while_the_source_is_pending),
        BENCH_TEST(loader_items_outlive_their_batch_with_a_reference),
        BENCH_TEST(loader_lets_an_answer_cancel_the_next_waiter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
