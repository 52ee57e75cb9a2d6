/*
 * test_blackbox.c - what a dead worker left is read with care.
 */
#include "server/stats/blackbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *
noted(struct blackbox *b, const char *verb, const char *key)
{
    blackbox_note(b, verb, span_of(key, strlen(key)), 5);
    return b->request;
}

static void
blackbox_notes_the_verb_and_the_first_key(void **state)
{
    struct blackbox b = { 0 };

    (void)state;
    assert_string_equal(noted(&b, "fetch", "tags:c"), "fetch tags:c");
    assert_int_equal(b.since, 5);
    assert_string_equal(noted(&b, "ping", ""), "ping");
}

static void
blackbox_cuts_what_is_too_long(void **state)
{
    struct blackbox b = { 0 };
    char key[300];

    (void)state;
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    assert_int_equal(strlen(noted(&b, "fetch", key)), BLACKBOX_TEXT - 1);
    assert_int_equal(strlen(noted(&b, key, key)), BLACKBOX_TEXT - 1);
    blackbox_panic(&b, key);
    assert_int_equal(strlen(b.panic), sizeof(b.panic) - 1);
    assert_int_equal(b.nframes, 0); /* nothing behind was touched */
}

static void
blackbox_reads_no_further_than_its_field(void **state)
{
    struct blackbox b;

    (void)state;
    memset(&b, 0xff, sizeof(b)); /* scribbled over: no end anywhere */
    assert_int_equal(blackbox_text(b.request, sizeof(b.request)).n, sizeof(b.request));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blackbox_notes_the_verb_and_the_first_key),
        cmocka_unit_test(blackbox_cuts_what_is_too_long),
        cmocka_unit_test(blackbox_reads_no_further_than_its_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
