/*
 * test_merge.c - several items become one.
 */
#include "server/item/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
assert_merged(const char *top, const struct merge_part *parts, size_t n, bool may_clash,
              const char *expected)
{
    struct buf out = BUF_INIT;

    merge_append(&out, span_str(top), parts, n, may_clash);
    assert_true(buf_size(&out) <= merge_size(span_str(top), parts, n));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

static void
parts_follow_the_members_of_the_top(void **state)
{
    const struct merge_part parts[] = {
        { SPAN("stock"), SPAN("{\"n\":1.50}") },
        { SPAN("gone"), { NULL, 0 } },
        { SPAN("list"), SPAN("[1, 2]") },
    };

    (void)state;
    assert_merged("{\"a\":1,\"b\":\"}\"}", parts, 3, false,
                  "{\"a\":1,\"b\":\"}\",\"stock\":{\"n\":1.50},\"list\":[1, 2]}");
    assert_merged("{\"a\":1}", parts, 1, true, "{\"a\":1,\"stock\":{\"n\":1.50}}");
}

static void
either_side_may_be_empty(void **state)
{
    const struct merge_part parts[] = { { SPAN("a"), SPAN("{}") },
                                        { SPAN("b"), { NULL, 0 } } };
    bool clash;

    (void)state;
    for (clash = false;; clash = true) {
        assert_merged("{}", NULL, 0, clash, "{}");
        assert_merged("", NULL, 0, clash, "{}");
        assert_merged("{}", parts, 2, clash, "{\"a\":{}}");
        assert_merged("", parts, 2, clash, "{\"a\":{}}");
        assert_merged("{\"x\":1}", &parts[1], 1, clash, "{\"x\":1}");
        if (clash)
            break;
    }
}

static void
a_name_of_a_part_is_taken_even_when_the_part_is_not_there(void **state)
{
    const struct merge_part parts[] = { { SPAN("stock"), SPAN("7") },
                                        { SPAN("price"), { NULL, 0 } } };

    (void)state;
    assert_merged("{\"stock\":{\"a\":[1,{}]},\"x\":1,\"price\":null,\"stocks\":2}", parts,
                  2, true, "{\"x\":1,\"stocks\":2,\"stock\":7}");
    assert_merged("{\"price\":\"a\\\"b\"}", parts, 2, true, "{\"stock\":7}");
}

static void
a_name_may_be_written_with_escapes(void **state)
{
    const struct merge_part parts[] = { { SPAN("stock"), SPAN("7") } };

    (void)state;
    assert_merged("{\"st\\u006fck\":1,\"\\u0073tocks\":2}", parts, 1, true,
                  "{\"\\u0073tocks\":2,\"stock\":7}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_follow_the_members_of_the_top),
        cmocka_unit_test(either_side_may_be_empty),
        cmocka_unit_test(a_name_of_a_part_is_taken_even_when_the_part_is_not_there),
        cmocka_unit_test(a_name_may_be_written_with_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
