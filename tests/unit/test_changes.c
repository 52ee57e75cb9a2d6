/*
 * test_changes.c - an operator hears what a reload did not change.
 */
#include "tests/unit/config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
restart_changes_names_what_differs_and_needs_a_restart(void **state)
{
    struct config *old = fixture_accepts(*state, FIXTURE_BASE);
    struct config *same = fixture_accepts(*state, FIXTURE_BASE "workers = 7\n"
                                                               "log_level = \"debug\"\n");
    struct config *other = fixture_accepts(*state, FIXTURE_BASE "pid_file = \"/a\"\n"
                                                                "user = \"nobody\"\n");
    struct buf names = BUF_INIT;

    config_restart_changes(old, same, &names);
    assert_int_equal(buf_size(&names), 0);
    config_restart_changes(old, other, &names);
    assert_true(span_equal(buf_span(&names), span_str("user, pid_file")));
    buf_fini(&names);
    config_free(&old);
    config_free(&same);
    config_free(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            restart_changes_names_what_differs_and_needs_a_restart, fixture_setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
