/*
 * test_draw.c - whose ids a batch takes while some ask for many and some for few.
 */
#include "tests/unit/loader_fixture.h"

#include "server/source/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FLOOD, OTHER_FLOOD, SMALL };

/* Tests that depend on what was asked lately say when that was long ago. */
static void
forget_small(struct bench *b)
{
    b->crowd.small_until = 0;
}

static int
crowd_setup(void **state)
{
    int failed = bench_setup(state);

    if (failed == 0)
        ((struct bench *)*state)->source.crowd = &((struct bench *)*state)->crowd;
    return failed;
}

/* What is held is over; the size of the batch that follows. */
static size_t
next_size(struct bench *b)
{
    while (b->nheld > 0)
        bench_complete(b, 0);
    bench_end_turn(b);
    return b->nheld > 0 ? batch_size(b->held[0]) : 0;
}

static void
who_is_alone_fills_batches(void **state)
{
    struct bench *b = *state;

    bench_want_many(b, FLOOD, 1, 300);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
    assert_int_equal(next_size(b), 300 - 2 * BENCH_MAX_BATCH);
    assert_int_equal(metrics_get(&b->metrics, METRIC_statements_shared), 0);
}

static void
who_asked_for_few_before_is_no_other(void **state)
{
    struct bench *b = *state;

    bench_want(b, FLOOD, "1000");
    assert_int_equal(next_size(b), 1);
    bench_want_many(b, FLOOD, 1, 200);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
}

static void
who_asks_for_many_has_a_part_while_others_ask_for_few(void **state)
{
    struct bench *b = *state;

    bench_want_many(b, FLOOD, 1, 300);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
    bench_want_many(b, SMALL, 1000, 5);
    assert_int_equal(next_size(b), BENCH_SHARED_BATCH + 5);
    assert_in_range(batch_find(b->held[0], SPAN("1004")), 0, 9);
    /* the next one finds as little under way */
    assert_int_equal(next_size(b), BENCH_SHARED_BATCH);
    assert_int_equal(metrics_get(&b->metrics, METRIC_statements_shared), 2);
    forget_small(b);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
    assert_int_equal(metrics_get(&b->metrics, METRIC_statements_shared), 2);
}

static void
a_part_makes_a_batch_take_half_as_long_again(void **state)
{
    struct bench *b = *state;

    bench_want(b, SMALL, "1000");
    bench_want_many(b, FLOOD, 1, 200);
    b->crowd.few_took = 1000;
    b->crowd.id_ns = 20000;
    bench_end_turn(b);
    assert_int_equal(batch_size(b->held[0]), 1 + 1000 * 1000 / 20000 / 2);
}

static void
what_a_batch_takes_is_learnt(void **state)
{
    struct bench *b = *state;
    unsigned i;

    draw_note(b->loader, 100, 3000); /* says nothing as long as few are not known */
    assert_int_equal(b->crowd.id_ns, 0);
    draw_note(b->loader, 2, 1000);
    draw_note(b->loader, 100, 3000);
    assert_int_equal(b->crowd.few_took, 1000);
    assert_int_equal(b->crowd.id_ns, 20000);
    draw_note(b->loader, 1, 33000); /* one that was late means little */
    assert_int_equal(b->crowd.few_took, 2000);
    for (i = 0; i < 40; i++) {
        draw_note(b->loader, 1, 1000);
        draw_note(b->loader, 100, 2000);
    }
    assert_in_range(b->crowd.few_took, 1000, 1010);
    assert_in_range(b->crowd.id_ns, 9900, 10200);
    draw_note(b->loader, 100, 10); /* quicker than few: never nothing */
    assert_true(b->crowd.id_ns > 0);
}

static void
each_who_asks_for_many_has_a_part(void **state)
{
    struct bench *b = *state;

    bench_want(b, SMALL, "1000");
    bench_want_many(b, FLOOD, 1, 100);
    bench_want_many(b, OTHER_FLOOD, 200, 100);
    assert_int_equal(next_size(b), 1 + 2 * BENCH_SHARED_BATCH);
    assert_int_equal(next_size(b), 2 * BENCH_SHARED_BATCH);
    assert_string_equal(bench_ids(b, 0),
                        "17 216 18 217 19 218 20 219 21 220 22 221 23 222 24 223 "
                        "25 224 26 225 27 226 28 227 29 228 30 229 31 230 32 231");
}

static void
many_who_ask_for_few_fill_batches(void **state)
{
    struct bench *b = *state;
    size_t flow;

    for (flow = 0; flow < BENCH_FLOWS; flow++)
        bench_want_many(b, flow, (unsigned)flow * 100, 16);
    assert_int_equal(next_size(b), BENCH_FLOWS * 16 < BENCH_MAX_BATCH ? BENCH_FLOWS * 16
                                                                      : BENCH_MAX_BATCH);
}

static void
who_asked_for_many_does_not_become_small_by_the_rest(void **state)
{
    struct bench *b = *state;

    bench_want_many(b, FLOOD, 1, BENCH_MAX_BATCH + 5);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
    assert_int_equal(next_size(b), 5);
    bench_want_many(b, FLOOD, 1000, 3); /* a new beginning, a moment later */
    assert_int_equal(next_size(b), 3);
    assert_int_equal(b->crowd.small_until, 0);
    bench_want_many(b, OTHER_FLOOD, 2000, 100);
    assert_int_equal(next_size(b), 100);
}

static void
batches_that_wait_for_nobody_are_not_cut(void **state)
{
    struct bench *b = *state;

    b->source.crowd = NULL;
    bench_want(b, SMALL, "1000");
    bench_want_many(b, FLOOD, 1, 200);
    assert_int_equal(next_size(b), BENCH_MAX_BATCH);
}

static void
ids_that_lost_their_waiters_take_no_part(void **state)
{
    struct bench *b = *state;
    struct heard *gone[10];
    char id[16];
    size_t i;

    for (i = 0; i < ARRAY_LEN(gone); i++) {
        snprintf(id, sizeof(id), "%zu", 500 + i);
        gone[i] = bench_want(b, FLOOD, id);
    }
    bench_want_many(b, FLOOD, 1, 100);
    for (i = 0; i < ARRAY_LEN(gone); i++)
        loader_cancel(&gone[i]->waiter);
    bench_want(b, SMALL, "1000");
    assert_int_equal(next_size(b), 1 + BENCH_SHARED_BATCH);
}

int
main(void)
{
#define DRAW_TEST(f) cmocka_unit_test_setup_teardown(f, crowd_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        DRAW_TEST(who_is_alone_fills_batches),
        DRAW_TEST(who_asked_for_few_before_is_no_other),
        DRAW_TEST(who_asks_for_many_has_a_part_while_others_ask_for_few),
        DRAW_TEST(a_part_makes_a_batch_take_half_as_long_again),
        DRAW_TEST(what_a_batch_takes_is_learnt),
        DRAW_TEST(each_who_asks_for_many_has_a_part),
        DRAW_TEST(many_who_ask_for_few_fill_batches),
        DRAW_TEST(who_asked_for_many_does_not_become_small_by_the_rest),
        DRAW_TEST(batches_that_wait_for_nobody_are_not_cut),
        DRAW_TEST(ids_that_lost_their_waiters_take_no_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
