/*
 * test_log_rate.c - a crowd of one message is cut, and counted.
 */
#include "common/log_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char first[] = "first", second[] = "second";

static unsigned
passed(struct log_rate *r, const char *format, unsigned n, usec_t now)
{
    unsigned i, suppressed, count = 0;

    for (i = 0; i < n; i++)
        count += log_rate_pass(r, format, 5, now, &suppressed);
    return count;
}

static void
rate_lets_a_burst_pass_and_counts_the_rest(void **state)
{
    struct log_rate r = { 0 };
    unsigned suppressed;

    (void)state;
    assert_int_equal(passed(&r, first, 100, 7), 5);
    assert_int_equal(passed(&r, second, 3, 7), 3); /* each for itself */
    assert_false(log_rate_pass(&r, first, 5, 6 + LOG_RATE_WINDOW, &suppressed));
    assert_true(log_rate_pass(&r, first, 5, 7 + LOG_RATE_WINDOW, &suppressed));
    assert_int_equal(suppressed, 96);
    assert_true(log_rate_pass(&r, first, 5, 7 + LOG_RATE_WINDOW, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void
rate_tells_of_a_message_that_never_comes_again(void **state)
{
    struct log_rate r = { 0 };
    unsigned n = 0;

    (void)state;
    passed(&r, first, 8, 7);
    assert_null(log_rate_overdue(&r, 8, &n));
    assert_ptr_equal(log_rate_overdue(&r, 7 + LOG_RATE_WINDOW, &n), first);
    assert_int_equal(n, 3);
    assert_null(log_rate_overdue(&r, 7 + LOG_RATE_WINDOW, &n));
    assert_int_equal(r.pending, 0);
}

static void
rate_lives_with_more_messages_than_places(void **state)
{
    static const char many[10 * LOG_RATE_MESSAGES];
    struct log_rate r = { 0 };
    unsigned n, told = 0;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(many); i++)
        assert_int_equal(passed(&r, &many[i], 6, i), 5);
    while (log_rate_overdue(&r, LOG_RATE_WINDOW * 2, &n) != NULL)
        told += n;
    assert_true(told >= 1 && told <= LOG_RATE_MESSAGES);
    assert_int_equal(r.pending, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_lets_a_burst_pass_and_counts_the_rest),
        cmocka_unit_test(rate_tells_of_a_message_that_never_comes_again),
        cmocka_unit_test(rate_lives_with_more_messages_than_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
