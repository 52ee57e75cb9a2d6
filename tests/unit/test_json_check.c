/*
 * test_json_check.c - what is strict JSON, and its compact form.
 *
 * Inputs are copied into heap blocks of their exact size, so that the sanitizer
 * build sees a read of one byte too many.
 */
#include "server/item/json.h"

#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct pair {
    struct span in;
    struct span out;
};

/* SPAN is no constant expression. */
#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
#define PAIR(in, out)              \
    {                              \
        { (in), sizeof(in) - 1 },  \
        {                          \
            (out), sizeof(out) - 1 \
        }                          \
    }

static bool
compacts(struct span in, struct buf *out)
{
    struct span copy = exact_copy(in);
    bool ok = json_append_compact(out, copy);

    exact_free(copy);
    return ok;
}

static void
assert_compacts(struct span in, struct span expected)
{
    struct buf out = BUF_INIT;

    assert_true(compacts(in, &out));
    assert_span(buf_span(&out), expected);
    buf_fini(&out);
}

static void
assert_refused(struct span in)
{
    struct buf out = BUF_INIT;

    BUF_APPEND_LIT(&out, "before");
    if (compacts(in, &out))
        fail_msg("accepted: %.*s", SPAN_FMT(in));
    assert_false(buf_failed(&out));
    assert_span(buf_span(&out), SPAN("before"));
    buf_fini(&out);
}

static void
compact_drops_white_space_between_tokens_only(void **state)
{
    static const struct pair pairs[] = {
        PAIR("{}", "{}"),
        PAIR(" [ ] ", "[]"),
        PAIR("\r\n{\n\t\"a b\" : [1 ,\n2 ]\n,\"c\":{ }\r\n}\n",
             "{\"a b\":[1,2],\"c\":{}}"),
        PAIR("\"  two  blanks \\n \"", "\"  two  blanks \\n \""),
        PAIR("[true, false, null]", "[true,false,null]"),
        PAIR("\t-0.0e+05\n", "-0.0e+05"),
        PAIR("[18446744073709551616, 1E400, 0.10]", "[18446744073709551616,1E400,0.10]"),
        PAIR("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"),
        PAIR("[[], {}, [[{\"k\": []}]]]", "[[],{},[[{\"k\":[]}]]]"),
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(pairs); i++)
        assert_compacts(pairs[i].in, pairs[i].out);
}

static void
compact_keeps_the_bytes_of_strings(void **state)
{
    static const struct span same[] = {
        TEXT("\"\""),
        TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\""),
        TEXT("\"\\ud800 alone, \\udc00 too\""),
        TEXT("\"\xe2\x80\xa8 \xf0\x9f\x98\x80 \x7f\""),
        TEXT("{\"\":\"\\u0000\"}"),
        TEXT("\"1234567\\n234567\\\\\"")
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(same); i++)
        assert_compacts(same[i], same[i]);
}

/* clang-format off */
static const char *const not_json[] = {
    "", " ", "{", "}", "[", "]", "[}", "{]", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{1:2}", "{a:1}", "{\"a\" 1}",
    "{\"a\"::1}", "{\"a\":1:2}", "1 2", "{} {}", "{},", "[]]", ":", ",", "'a'", "nul",
    "nulll", "True", "NaN", "Infinity", "-Infinity", "+1", "01", "-", "-a", "1.", ".5",
    "1.e5", "1e", "1e+", "0x1", "-01", "1_0", "00", "/* */ 1", "1//", "\"", "\"a", "\"\\",
    "\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u\"", "\"\\U0041\"",
    "\"tab\there\"", "\"line\nfeed\"", "\"\x1f\"", "\xef\xbb\xbf{}", "\302\2401", "\v1",
    "\f1", "1;", "\"\xff\"", "\"\xc0\x80\"", "\"\xe2\x80\"", "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"", "\"\xf0\x9f\x98", "tru", "f",
};
/* clang-format on */

static void
compact_refuses_what_is_not_strict_json(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(not_json); i++)
        assert_refused(span_str(not_json[i]));
    assert_refused(span_of(NULL, 0));
    assert_refused(SPAN("\0"));
    assert_refused(SPAN("1\0"));
    assert_refused(SPAN("\"a\0b\""));
}

static void
compact_refuses_every_beginning_of_a_text(void **state)
{
    struct span whole = SPAN(
        "{\"key\": [true, null, -1.5e+3, \"\xf0\x9f\x98\x80 \\u12ab\", {}], \"b\": 1}");
    size_t n;

    (void)state;
    for (n = 0; n < whole.n; n++)
        assert_refused(span_of(whole.p, n));
    assert_compacts(whole,
                    SPAN("{\"key\":[true,null,-1.5e+3,\"\xf0\x9f\x98\x80 \\u12ab\","
                         "{}],\"b\":1}"));
}

static void
nest(struct buf *b, size_t depth, const char *opening, const char *closing)
{
    size_t i;

    buf_clear(b);
    for (i = 0; i < depth; i++)
        buf_append_span(b, span_str(opening));
    buf_append_char(b, '1');
    for (i = 0; i < depth; i++)
        buf_append_span(b, span_str(closing));
}

static void
compact_nests_down_to_its_limit_and_no_deeper(void **state)
{
    struct buf deep = BUF_INIT;

    (void)state;
    nest(&deep, JSON_DEPTH_MAX, "[", "]");
    assert_compacts(buf_span(&deep), buf_span(&deep));
    nest(&deep, JSON_DEPTH_MAX, "{\"a\":", "}");
    assert_compacts(buf_span(&deep), buf_span(&deep));
    nest(&deep, JSON_DEPTH_MAX / 2, "[{\"a\":", "}]");
    assert_compacts(buf_span(&deep), buf_span(&deep));
    nest(&deep, JSON_DEPTH_MAX / 2, "[{\"a\":", "]}");
    assert_refused(buf_span(&deep));
    nest(&deep, JSON_DEPTH_MAX + 1, "[", "]");
    assert_refused(buf_span(&deep));
    nest(&deep, 1000000, "[", "]");
    assert_refused(buf_span(&deep));
    buf_fini(&deep);
}

static void
compact_in_a_full_buffer_is_valid_but_failed(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 5);
    assert_true(compacts(SPAN("[ 1, 2 ]"), &out)); /* five bytes once compact */
    assert_span(buf_span(&out), SPAN("[1,2]"));
    assert_true(compacts(SPAN("1"), &out));
    assert_true(buf_failed(&out));
    assert_int_equal(buf_size(&out), 5);
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact_drops_white_space_between_tokens_only),
        cmocka_unit_test(compact_keeps_the_bytes_of_strings),
        cmocka_unit_test(compact_refuses_what_is_not_strict_json),
        cmocka_unit_test(compact_refuses_every_beginning_of_a_text),
        cmocka_unit_test(compact_nests_down_to_its_limit_and_no_deeper),
        cmocka_unit_test(compact_in_a_full_buffer_is_valid_but_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
