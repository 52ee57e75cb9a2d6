/*
 * test_breaker.c - when somebody is asked again.
 */
#include "server/source/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct breaker
after_failures(unsigned n, usec_t now)
{
    struct breaker b;
    unsigned i;

    breaker_init(&b, 3, 100, 400);
    for (i = 0; i < n; i++)
        assert_int_equal(breaker_failed(&b, now), i == 2);
    return b;
}

static void
it_opens_after_failures_in_a_row(void **state)
{
    struct breaker b = after_failures(2, 1000);

    (void)state;
    assert_true(breaker_allows(&b, 1000));
    assert_false(breaker_answered(&b));
    assert_false(breaker_failed(&b, 1000));
    assert_false(breaker_failed(&b, 1000));
    assert_true(breaker_allows(&b, 1000));
    assert_true(breaker_failed(&b, 1000));
    assert_false(breaker_allows(&b, 1000));
    assert_string_equal(breaker_name(&b), "open");
}

static void
after_its_pause_one_may_try(void **state)
{
    struct breaker b = after_failures(3, 1000);

    (void)state;
    assert_false(breaker_allows(&b, 1099));
    assert_true(breaker_allows(&b, 1100));
    breaker_asked(&b);
    assert_string_equal(breaker_name(&b), "half-open");
    assert_false(breaker_allows(&b, 5000));
    assert_true(breaker_answered(&b));
    assert_true(breaker_allows(&b, 1100));
    assert_string_equal(breaker_name(&b), "closed");
}

static void
pauses_double_up_to_the_longest_and_begin_anew(void **state)
{
    static const usec_t pauses[] = { 200, 400, 400, 400 };
    struct breaker b = after_failures(3, 0);
    usec_t now = 100;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        assert_true(breaker_allows(&b, now));
        breaker_asked(&b);
        assert_true(breaker_failed(&b, now));
        assert_false(breaker_allows(&b, now + pauses[i] - 1));
        now += pauses[i];
    }
    breaker_asked(&b);
    assert_true(breaker_answered(&b));
    for (i = 0; i < 3; i++)
        assert_int_equal(breaker_failed(&b, now), i == 2);
    assert_true(breaker_allows(&b, now + 100));
}

static void
late_words_count_for_what_they_are(void **state)
{
    struct breaker b = after_failures(3, 0);

    (void)state;
    assert_false(breaker_failed(&b, 90)); /* no news, and no longer pause */
    assert_true(breaker_allows(&b, 100));
    assert_true(breaker_answered(&b));
    assert_true(breaker_allows(&b, 0));
}

static void
a_trial_that_told_nothing_is_repeated(void **state)
{
    struct breaker b = after_failures(3, 0);

    (void)state;
    breaker_learned_nothing(&b, 50); /* not a trial */
    assert_false(breaker_allows(&b, 99));
    breaker_asked(&b);
    breaker_learned_nothing(&b, 150);
    assert_true(breaker_allows(&b, 150));
    b = after_failures(2, 0);
    breaker_learned_nothing(&b, 0);
    assert_true(breaker_failed(&b, 0)); /* the two before still count */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_failures_in_a_row),
        cmocka_unit_test(after_its_pause_one_may_try),
        cmocka_unit_test(pauses_double_up_to_the_longest_and_begin_anew),
        cmocka_unit_test(late_words_count_for_what_they_are),
        cmocka_unit_test(a_trial_that_told_nothing_is_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
