/*
 * test_utf8.c - what is well-formed, to the byte.
 */
#include "server/item/json.h"

#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* SPAN is no constant expression. */
#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }

static bool
valid(struct span s)
{
    struct span copy = exact_copy(s);
    bool ok = utf8_valid(copy);

    exact_free(copy);
    return ok;
}

static void
utf8_accepts_what_unicode_allows(void **state)
{
    (void)state;
    assert_true(utf8_valid(span_of(NULL, 0)));
    assert_true(valid(SPAN("")));
    assert_true(valid(SPAN("plain, longer than one word")));
    assert_true(valid(SPAN("a\0b")));
    assert_true(valid(SPAN("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80")));
    assert_true(valid(SPAN("\xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
    assert_true(valid(SPAN("1234567\xf0\x9f\x98\x80")));
}

static void
utf8_refuses_the_overlong_the_truncated_and_surrogates(void **state)
{
    static const struct span bad[] = { TEXT("\x80"),
                                       TEXT("\xbf"),
                                       TEXT("\xc0\x80"),
                                       TEXT("\xc1\xbf"),
                                       TEXT("\xc2"),
                                       TEXT("\xc2 "),
                                       TEXT("\xe0\x9f\xbf"),
                                       TEXT("\xe2\x80"),
                                       TEXT("\xed\xa0\x80"),
                                       TEXT("\xed\xbf\xbf"),
                                       TEXT("\xf0\x8f\xbf\xbf"),
                                       TEXT("\xf0\x9f\x98"),
                                       TEXT("\xf4\x90\x80\x80"),
                                       TEXT("\xf5\x80\x80\x80"),
                                       TEXT("\xfe"),
                                       TEXT("\xff"),
                                       TEXT("12345678\xff"),
                                       TEXT("1234567\xe2\x82") };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(valid(bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_accepts_what_unicode_allows),
        cmocka_unit_test(utf8_refuses_the_overlong_the_truncated_and_surrogates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
