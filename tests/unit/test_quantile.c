/*
 * test_quantile.c - what most of the latest values were at most.
 */
#include "server/source/quantile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
nothing_is_said_before_enough_was_seen(void **state)
{
    struct quantile q = { .n = 0 };
    unsigned i;

    (void)state;
    assert_int_equal(quantile_at(&q, 95, 0), 0);
    for (i = 0; i < 19; i++)
        quantile_add(&q, 100);
    assert_int_equal(quantile_at(&q, 95, 20), 0);
    quantile_add(&q, 100);
    assert_true(quantile_at(&q, 95, 20) > 100);
}

static void
a_value_is_met_within_a_fifth(void **state)
{
    usec_t value;

    (void)state;
    for (value = 4; value < USEC_PER_SEC * 1000; value = value * 9 / 8 + 1) {
        struct quantile q = { .n = 0 };
        usec_t said;

        quantile_add(&q, value);
        said = quantile_at(&q, 95, 1);
        assert_true(said > value && said <= value + value / 4 + 1);
    }
}

static void
a_share_is_found_where_it_is(void **state)
{
    struct quantile q = { .n = 0 };
    unsigned i;

    (void)state;
    for (i = 0; i < 96; i++)
        quantile_add(&q, 1000);
    for (i = 0; i < 4; i++)
        quantile_add(&q, 1000000);
    assert_true(quantile_at(&q, 95, 1) < 1300);
    assert_true(quantile_at(&q, 97, 1) > 1000000);
}

static void
the_past_fades(void **state)
{
    struct quantile q = { .n = 0 };
    unsigned i;

    (void)state;
    for (i = 0; i < 5000; i++)
        quantile_add(&q, 1000000);
    for (i = 0; i < 10000; i++)
        quantile_add(&q, 1000);
    assert_true(quantile_at(&q, 95, 1) < 1300);
    assert_true(q.n <= QUANTILE_WINDOW);
}

static void
values_beyond_the_scale_are_its_last(void **state)
{
    struct quantile q = { .n = 0 };

    (void)state;
    quantile_add(&q, UINT64_MAX);
    quantile_add(&q, 0);
    assert_true(quantile_at(&q, 95, 1) > USEC_PER_SEC * 1000);
    assert_int_equal(quantile_at(&q, 50, 1), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_enough_was_seen),
        cmocka_unit_test(a_value_is_met_within_a_fifth),
        cmocka_unit_test(a_share_is_found_where_it_is),
        cmocka_unit_test(the_past_fades),
        cmocka_unit_test(values_beyond_the_scale_are_its_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
