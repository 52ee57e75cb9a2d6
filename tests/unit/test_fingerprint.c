/*
 * test_fingerprint.c - other definitions are other fingerprints.
 */
#include "server/source/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t
of(const char *kind, const char *first, const char *second)
{
    struct fingerprint f;

    fingerprint_begin(&f, kind);
    fingerprint_add(&f, first);
    fingerprint_add(&f, second);
    return fingerprint_end(&f);
}

static void
the_same_definition_is_the_same_and_no_other_is(void **state)
{
    uint64_t one = of("table", "items", "id");

    (void)state;
    assert_int_not_equal(one, 0);
    assert_int_equal(one, of("table", "items", "id"));
    assert_int_not_equal(one, of("url", "items", "id"));
    assert_int_not_equal(one, of("table", "item", "sid"));
    assert_int_not_equal(one, of("table", "itemsid", ""));
    assert_int_not_equal(one, of("table", "id", "items"));
    assert_int_equal(of("table", NULL, "x"), of("table", "", "x"));
    assert_int_not_equal(of("table", NULL, "x"), of("table", "x", NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_definition_is_the_same_and_no_other_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
