/*
 * test_handover.c - a session survives the way to another worker, and to another program.
 */
#include "server/worker/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct session
talkative(void)
{
    struct session s = { .scanned = 3, .resp = true, .resp3 = 1, .id = 7 };

    snprintf(s.name, sizeof(s.name), "ranker");
    return s;
}

/* What the other side makes of it; a stranger has another layout. */
static bool
move(const struct session *s, bool stranger, struct session *out)
{
    struct handover_head head = { .magic = HANDOVER_MAGIC };
    char whole[sizeof(*s)];

    handover_put_session(s, &head);
    memcpy(whole, s, sizeof(whole));
    head.layout += stranger;
    memset(out, 0xee, sizeof(*out));
    return handover_get_session(&head, whole, out);
}

static void
handover_moves_every_byte_between_equal_programs(void **state)
{
    struct session s = talkative(), got;

    (void)state;
    s.swallow = 10; /* in the middle of a data block */
    s.held_len = 4;
    memcpy(s.held, "key1", 4);
    assert_true(move(&s, false, &got));
    assert_memory_equal(&got, &s, sizeof(s));
}

static void
handover_moves_a_session_at_rest_to_another_program(void **state)
{
    struct session s = talkative(), got;

    (void)state;
    assert_true(move(&s, true, &got));
    assert_true(got.resp);
    assert_int_equal(got.resp3, 1);
    assert_int_equal(got.id, 7);
    assert_string_equal(got.name, "ranker");
    assert_int_equal(got.scanned, 0); /* what lies unread is looked through again */
    assert_int_equal(got.swallow, 0);
}

static void
handover_refuses_another_program_in_the_middle_of_a_request(void **state)
{
    struct session block = talkative(), array = talkative(), got;

    (void)state;
    block.swallow = 1;
    array.frame_left = 2;
    assert_false(move(&block, true, &got));
    assert_false(move(&array, true, &got));
}

static void
handover_cuts_a_name_that_does_not_end(void **state)
{
    struct session s = talkative(), got;

    (void)state;
    memset(s.name, 'x', sizeof(s.name));
    assert_true(move(&s, true, &got));
    assert_int_equal(strlen(got.name), SESSION_NAME_MAX - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handover_moves_every_byte_between_equal_programs),
        cmocka_unit_test(handover_moves_a_session_at_rest_to_another_program),
        cmocka_unit_test(handover_refuses_another_program_in_the_middle_of_a_request),
        cmocka_unit_test(handover_cuts_a_name_that_does_not_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
