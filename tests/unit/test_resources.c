/*
 * test_resources.c - each place has its processor.
 */
#include "server/master/resources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
places_take_the_allowed_processors_in_turn(void **state)
{
    const int allowed[] = { 2, 3, 7 };

    (void)state;
    assert_int_equal(resources_cpu(allowed, 3, 0), 2);
    assert_int_equal(resources_cpu(allowed, 3, 2), 7);
    assert_int_equal(resources_cpu(allowed, 3, 4), 3);
    assert_int_equal(resources_cpu(allowed, 0, 4), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_take_the_allowed_processors_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
