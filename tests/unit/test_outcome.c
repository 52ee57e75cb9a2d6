/*
 * test_outcome.c - a wish is heard once, and its outcome is its own.
 */
#include "server/master/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum outcome_verdict
reload_of(const struct outcomes *o, unsigned number)
{
    const char *text;

    return outcome_of(o, WISH_RELOAD, number, &text);
}

static void
outcome_is_pending_until_it_is_settled(void **state)
{
    struct outcomes o = { 0 };
    const char *text;

    (void)state;
    assert_false(outcome_wanted(&o, WISH_RELOAD));
    assert_int_equal(outcome_ask(&o, WISH_RELOAD), 1);
    assert_true(outcome_wanted(&o, WISH_RELOAD));
    assert_false(outcome_running(&o, WISH_RELOAD));
    outcome_begin(&o, WISH_RELOAD);
    assert_false(outcome_wanted(&o, WISH_RELOAD));
    assert_true(outcome_running(&o, WISH_RELOAD));
    assert_int_equal(reload_of(&o, 1), OUTCOME_PENDING);
    outcome_settle(&o, WISH_RELOAD, OUTCOME_REFUSED, "line %d", 7);
    assert_false(outcome_running(&o, WISH_RELOAD));
    assert_int_equal(outcome_of(&o, WISH_RELOAD, 1, &text), OUTCOME_REFUSED);
    assert_string_equal(text, "line 7");
    assert_false(outcome_wanted(&o, WISH_UPGRADE)); /* each kind for itself */
}

static void
outcome_of_a_wish_in_between_is_not_that_of_the_one_before(void **state)
{
    struct outcomes o = { 0 };

    (void)state;
    outcome_ask(&o, WISH_RELOAD);
    outcome_begin(&o, WISH_RELOAD);
    assert_int_equal(outcome_ask(&o, WISH_RELOAD), 2);
    assert_int_equal(outcome_ask(&o, WISH_RELOAD), 3);
    outcome_settle(&o, WISH_RELOAD, OUTCOME_ROLLED_BACK, "%s", "");
    assert_int_equal(reload_of(&o, 1), OUTCOME_ROLLED_BACK);
    assert_int_equal(reload_of(&o, 2), OUTCOME_PENDING);
    assert_true(outcome_wanted(&o, WISH_RELOAD)); /* both, at once */
    outcome_begin(&o, WISH_RELOAD);
    outcome_settle(&o, WISH_RELOAD, OUTCOME_OK, "%s", "");
    assert_int_equal(reload_of(&o, 2), OUTCOME_OK);
    assert_int_equal(reload_of(&o, 3), OUTCOME_OK);
    assert_false(outcome_wanted(&o, WISH_RELOAD));
}

static void
outcome_text_is_cut_to_its_room(void **state)
{
    struct outcomes o = { 0 };
    char text[2 * OUTCOME_TEXT_MAX];
    const char *got;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    outcome_ask(&o, WISH_UPGRADE);
    outcome_begin(&o, WISH_UPGRADE);
    outcome_settle(&o, WISH_UPGRADE, OUTCOME_REFUSED, "%s", text);
    outcome_of(&o, WISH_UPGRADE, 1, &got);
    assert_int_equal(strlen(got), OUTCOME_TEXT_MAX - 1);
}

static void
outcome_has_a_name_for_everything(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < WISH_NWISHES; i++)
        assert_true(strlen(wish_name((enum wish)i)) > 0);
    for (i = OUTCOME_PENDING; i <= OUTCOME_ROLLED_BACK; i++)
        assert_true(strlen(outcome_name((enum outcome_verdict)i)) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcome_is_pending_until_it_is_settled),
        cmocka_unit_test(outcome_of_a_wish_in_between_is_not_that_of_the_one_before),
        cmocka_unit_test(outcome_text_is_cut_to_its_room),
        cmocka_unit_test(outcome_has_a_name_for_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
