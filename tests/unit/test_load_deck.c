/*
 * test_load_deck.c - the load generator asks for what it was told to, as often as it was
 * told to.
 */
#include "tests/load/deck.h"

#include "common/compiler.h"
#include "tests/load/zipf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DRAWS 400000
#define RANKS 1000
#define ROWS 10000

/* Six standard deviations of a count: once in 500 million. */
static void
check_count(double share, size_t draws, size_t count)
{
    double mean = share * (double)draws, sigma = sqrt(mean * (1 - share));

    if (fabs((double)count - mean) > 6 * sigma + 1)
        fail_msg("%zu of %zu draws, expected %.0f +- %.0f", count, draws, mean,
                 6 * sigma + 1);
}

static void
check_zipf(double s)
{
    static size_t counts[RANKS + 1];
    struct zipf z;
    double sum = 0;
    size_t n = 0, rank;
    uint32_t drawn;

    memset(counts, 0, sizeof(counts));
    for (rank = 1; rank <= RANKS; rank++)
        sum += pow((double)rank, -s);
    zipf_init(&z, RANKS, s);
    srand48(7);
    while (n < DRAWS) {
        if (!zipf_try(&z, drand48(), &drawn))
            continue;
        assert_in_range(drawn, 1, RANKS);
        counts[drawn]++;
        n++;
    }
    for (rank = 1; rank <= RANKS; rank = rank < 10 ? rank + 1 : rank * 2)
        check_count(pow((double)rank, -s) / sum, DRAWS, counts[rank]);
    check_count(pow(RANKS, -s) / sum, DRAWS, counts[RANKS]);
}

static void
zipf_draws_each_rank_as_often_as_its_exponent_says(void **state)
{
    static const double exponents[] = { 0, 0.5, 0.99, 1, 1.0000001, 1.4, 3 };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(exponents); i++)
        check_zipf(exponents[i]);
}

static struct plan
plan_of(unsigned ids)
{
    return (struct plan){ .ids = ids, .rows = ROWS, .range = ROWS, .hits = 1, .seed = 3 };
}

static struct deck *
deck_of(const struct plan *plan)
{
    struct deck *deck = deck_new(plan);

    assert_non_null(deck);
    return deck;
}

/* How often each id of 1..2 * ROWS is dealt in one pass, ids distinct within a request. */
static size_t *
count_ids(const struct plan *plan)
{
    size_t *counts = calloc(2 * ROWS + 1, sizeof(*counts)), i, j, k;
    struct deck *deck = deck_of(plan);

    assert_non_null(counts);
    for (i = 0; i < deck_requests(deck); i++) {
        const uint32_t *ids = deck_deal(deck);

        for (j = 0; j < plan->ids; j++) {
            assert_in_range(ids[j], 1, 2 * ROWS);
            counts[ids[j]]++;
            for (k = 0; k < j; k++)
                assert_int_not_equal(ids[j], ids[k]);
        }
    }
    deck_free(&deck);
    return counts;
}

static void
uniform_ids_are_alike(void **state)
{
    struct plan plan = plan_of(10);
    size_t *counts, id, all = 0;

    (void)state;
    counts = count_ids(&plan);
    for (id = 1; id <= ROWS; id++)
        all += counts[id];
    for (id = 1; id <= ROWS; id++)
        check_count(1.0 / ROWS, all, counts[id]);
    free(counts);
}

static void
popular_ids_are_zipf_and_no_neighbours(void **state)
{
    struct plan plan = plan_of(1);
    size_t *counts, id, all = 0, first = 1, second = 2;
    double sum = 0;

    (void)state;
    plan.zipf = 0.99;
    counts = count_ids(&plan);
    for (id = 1; id <= ROWS; id++) {
        sum += pow((double)id, -0.99);
        all += counts[id];
        if (counts[id] > counts[first]) {
            second = first;
            first = id;
        } else if (id != first && counts[id] > counts[second]) {
            second = id;
        }
    }
    check_count(1 / sum, all, counts[first]);
    check_count(pow(2, -0.99) / sum, all, counts[second]);
    assert_true(labs((long)first - (long)second) > ROWS / 10);
    free(counts);
}

static void
a_steep_zipf_still_finds_many_distinct_ids(void **state)
{
    struct plan plan = plan_of(500);

    (void)state;
    plan.zipf = 5;
    plan.requests = 3;
    free(count_ids(&plan));
}

static void
hits_are_the_share_asked_for(void **state)
{
    struct plan plan = plan_of(100);
    size_t *counts, id, hits = 0, misses = 0;

    (void)state;
    plan.hits = 0.9;
    counts = count_ids(&plan);
    for (id = 1; id <= 2 * ROWS; id++)
        *(id <= ROWS ? &hits : &misses) += counts[id];
    check_count(0.9, hits + misses, hits);
    free(counts);
}

static void
a_sweep_deals_every_id(void **state)
{
    struct plan plan = plan_of(64);
    size_t *counts, id;

    (void)state;
    plan.sweep = true;
    plan.hits = 0.5;
    counts = count_ids(&plan);
    for (id = 1; id <= 2 * ROWS; id++)
        assert_in_range(counts[id], 1, 2);
    free(counts);
}

static void
the_same_seed_deals_the_same_ids(void **state)
{
    struct plan plan = plan_of(7);
    struct deck *one, *same, *other;
    size_t i;

    (void)state;
    plan.zipf = 0.99;
    one = deck_of(&plan);
    same = deck_of(&plan);
    plan.seed++;
    other = deck_of(&plan);
    assert_memory_not_equal(deck_deal(one), deck_deal(other), 7 * sizeof(uint32_t));
    deck_deal(same);
    for (i = 0; i < 1000; i++)
        assert_memory_equal(deck_deal(one), deck_deal(same), 7 * sizeof(uint32_t));
    deck_free(&one);
    deck_free(&same);
    deck_free(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zipf_draws_each_rank_as_often_as_its_exponent_says),
        cmocka_unit_test(uniform_ids_are_alike),
        cmocka_unit_test(popular_ids_are_zipf_and_no_neighbours),
        cmocka_unit_test(a_steep_zipf_still_finds_many_distinct_ids),
        cmocka_unit_test(hits_are_the_share_asked_for),
        cmocka_unit_test(a_sweep_deals_every_id),
        cmocka_unit_test(the_same_seed_deals_the_same_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
