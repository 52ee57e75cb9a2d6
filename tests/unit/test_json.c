/*
 * test_json.c - whatever is appended is strict JSON and exactly what was meant.
 *
 * Inputs are copied into heap blocks of their exact size, so that the sanitizer
 * build sees a read of one byte too many.
 */
#include "server/item/json.h"

#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
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

typedef void (*append_fn)(struct buf *out, struct span s);

static void
assert_appends(append_fn append, struct span in, struct span expected)
{
    struct span copy = exact_copy(in);
    struct buf out = BUF_INIT;

    append(&out, copy);
    assert_false(buf_failed(&out));
    assert_span(buf_span(&out), expected);
    append(&out, copy); /* again, behind what is there */
    assert_int_equal(buf_size(&out), 2 * expected.n);
    assert_memory_equal(buf_span(&out).p + expected.n, expected.p, expected.n);
    buf_fini(&out);
    exact_free(copy);
}

static void
assert_all_append(append_fn append, const struct pair *pairs, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        assert_appends(append, pairs[i].in, pairs[i].out);
}

/* ---- strings ---- */

static void
string_quotes_plain_text_of_every_length(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz !#$%&'()*+,-./0123456789";
    char expected[sizeof(letters) + 2];
    size_t n;

    (void)state;
    for (n = 0; n < sizeof(letters); n++) {
        expected[0] = expected[n + 1] = '"';
        memcpy(expected + 1, letters, n);
        assert_appends(json_append_string, span_of(letters, n), span_of(expected, n + 2));
    }
    assert_appends(json_append_string, span_of(NULL, 0), SPAN("\"\""));
}

static void
string_escapes_one_special_byte_at_every_place(void **state)
{
    static const struct pair specials[] = {
        PAIR("\"", "\\\""),      PAIR("\\", "\\\\"),           PAIR("\n", "\\n"),
        PAIR("\x1f", "\\u001f"), PAIR("\xff", "\xef\xbf\xbd"),
    };
    char in[24], expected[40];
    size_t i, n, at;

    (void)state;
    for (i = 0; i < ARRAY_LEN(specials); i++) {
        struct span out = specials[i].out;

        for (n = 1; n <= sizeof(in); n++) {
            for (at = 0; at < n; at++) {
                memset(in, 'x', n);
                in[at] = specials[i].in.p[0];
                memset(expected, 'x', sizeof(expected));
                expected[0] = expected[n + out.n] = '"';
                memcpy(expected + 1 + at, out.p, out.n);
                assert_appends(json_append_string, span_of(in, n),
                               span_of(expected, n + out.n + 1));
            }
        }
    }
}

static void
string_escapes_every_control_character(void **state)
{
    (void)state;
    assert_appends(json_append_string,
                   SPAN("\0\1\2\3\4\5\6\7\b\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15"
                        "\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"),
                   SPAN(
                       "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t"
                       "\\n\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014"
                       "\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d"
                       "\\u001e\\u001f\""));
    assert_appends(json_append_string, SPAN("\x7f"), SPAN("\"\x7f\"")); /* none in JSON */
}

static void
string_lets_other_characters_travel_as_they_are(void **state)
{
    static const struct span texts[] = {
        TEXT("/"), TEXT("h\xc3\xa9llo, \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"),
        TEXT("\xe2\x80\xa8 and \xe2\x80\xa9"), /* U+2028, U+2029 */
        TEXT("\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80"),
        TEXT("\xef\xbb\xbf\xef\xbf\xbe\xef\xbf\xbf")
    };
    char expected[64];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(texts); i++) {
        expected[0] = expected[texts[i].n + 1] = '"';
        memcpy(expected + 1, texts[i].p, texts[i].n);
        assert_appends(json_append_string, texts[i], span_of(expected, texts[i].n + 2));
    }
}

#define FFFD "\xef\xbf\xbd"

static void
string_replaces_each_maximal_ill_formed_part_once(void **state)
{
    static const struct pair pairs[] = {
        /* the examples of Unicode 15, section 3.9, tables 3-8 to 3-11 */
        PAIR("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41",
             "\"" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A\""),
        PAIR("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41",
             "\"" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A\""),
        PAIR("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42",
             "\"" FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B\""),
        PAIR("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\"" FFFD FFFD FFFD FFFD "A\""),
        /* cut short at the end */
        PAIR("x\xf0\x9f\x98", "\"x" FFFD "\""),
        PAIR("x\xe2\x80", "\"x" FFFD "\""),
        PAIR("caf\xe9", "\"caf" FFFD "\""),
        PAIR("\xf0\x9f\"", "\"" FFFD "\\\"\""),
    };

    (void)state;
    assert_all_append(json_append_string, pairs, ARRAY_LEN(pairs));
}

static void
string_of_all_256_bytes_is_valid(void **state)
{
    struct buf out = BUF_INIT, again = BUF_INIT;
    char all[256];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    json_append_string(&out, span_of(all, sizeof(all)));
    /* 27 of \u00XX, 7 of \X, 94 as they are, 128 replaced, 2 quotes */
    assert_int_equal(buf_size(&out), 27 * 6 + 7 * 2 + 94 + 128 * 3 + 2);
    assert_true(utf8_valid(buf_span(&out)));
    assert_true(json_append_compact(&again, buf_span(&out)));
    assert_span(buf_span(&again), buf_span(&out));
    buf_fini(&again);
    buf_fini(&out);
}

static void
string_asks_a_capped_buffer_for_no_more_than_it_takes(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 8);
    json_append_string(&out, SPAN("ab\n\""));
    assert_false(buf_failed(&out));
    assert_span(buf_span(&out), SPAN("\"ab\\n\\\"\""));
    json_append_string(&out, SPAN(""));
    assert_true(buf_failed(&out));
    assert_int_equal(buf_size(&out), 8);
    buf_fini(&out);
}

/* ---- base64, bits, numbers ---- */

static void
base64_pads_every_length(void **state)
{
    static const struct pair pairs[] = {
        PAIR("", "\"\""),
        PAIR("f", "\"Zg==\""),
        PAIR("fo", "\"Zm8=\""),
        PAIR("foo", "\"Zm9v\""),
        PAIR("foob", "\"Zm9vYg==\""),
        PAIR("fooba", "\"Zm9vYmE=\""),
        PAIR("\xff\xef\xfb\xbe\x00\xff", "\"/+/7vgD/\""),
    };

    (void)state;
    assert_all_append(json_append_base64, pairs, ARRAY_LEN(pairs));
}

static void
bits_of_every_width_become_digits(void **state)
{
    static const struct pair pairs[] = {
        PAIR("\0", "0"),
        PAIR("\1", "1"),
        PAIR("\1\0", "256"),
        PAIR("\0\0\0\0\0\0\0\5", "5"),
        PAIR("\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        PAIR("\x80\0\0\0\0\0\0\0", "9223372036854775808"),
        PAIR("\0\1\0\0\0\0\0\0\0", "72057594037927936"), /* 9 bytes, but 64 bits */
        PAIR("\1\0\0\0\0\0\0\0\0", "null"),              /* no BIT column is that wide */
        PAIR("", "null"),
    };
    char bytes[8], digits[24];
    unsigned width, i;

    (void)state;
    assert_all_append(json_append_bits, pairs, ARRAY_LEN(pairs));
    for (width = 1; width <= 64; width++) {
        uint64_t v = UINT64_MAX >> (64 - width);
        size_t n = (width + 7) / 8;

        for (i = 0; i < n; i++)
            bytes[i] = (char)(v >> 8 * (n - 1 - i));
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
        assert_appends(json_append_bits, span_of(bytes, n), span_str(digits));
    }
}

static void
number_keeps_the_digits_it_is_given(void **state)
{
    static const struct span same[] = {
        TEXT("0"),
        TEXT("7"),
        TEXT("-7"),
        TEXT("42"),
        TEXT("-128"),
        TEXT("1000"),
        TEXT("1234567"),
        TEXT("12345678"),
        TEXT("9007199254740991"),
        TEXT("9007199254740993"),
        TEXT("-9223372036854775808"),
        TEXT("18446744073709551615"),
        TEXT("12.50"),
        TEXT("-0.00"),
        TEXT("-0"),
        TEXT("0.1000000000"),
        TEXT("99999999999999999999999999999999999999999999999999999999999999999"),
        TEXT("1e20"),
        TEXT("1e-7"),
        TEXT("-1.5e-10"),
        TEXT("1.7976931348623157e308"),
        TEXT("2.2250738585072014e-308"),
        TEXT("1E+05"),
        TEXT("1e1000000000")
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(same); i++)
        assert_appends(json_append_number, same[i], same[i]);
}

static void
number_drops_what_json_does_not_allow(void **state)
{
    static const struct pair pairs[] = {
        PAIR("0000", "0"), /* YEAR */
        PAIR("0007", "7"), /* ZEROFILL */
        PAIR("00000000000000000042", "42"),
        PAIR("-0012.50", "-12.50"),
        PAIR("-000", "-0"),
        PAIR("00.5", "0.5"),
        PAIR("0001e5", "1e5"),
        PAIR("+5", "5"),
        PAIR("+0005.10", "5.10"),
        PAIR(".5", "0.5"),
        PAIR("-.5", "-0.5"),
        PAIR("5.", "5"),
        PAIR("5.e3", "5e3"),
    };

    (void)state;
    assert_all_append(json_append_number, pairs, ARRAY_LEN(pairs));
}

static void
number_that_is_none_becomes_null(void **state)
{
    static const struct span none[] = { TEXT(""),
                                        TEXT("-"),
                                        TEXT("+"),
                                        TEXT("."),
                                        TEXT("-."),
                                        TEXT("inf"),
                                        TEXT("-nan"),
                                        TEXT("1e"),
                                        TEXT("1e+"),
                                        TEXT("1.2.3"),
                                        TEXT("1 "),
                                        TEXT(" 1"),
                                        TEXT("0x10"),
                                        TEXT("12a4"),
                                        TEXT("--1"),
                                        TEXT("1,5"),
                                        TEXT("1\0"),
                                        TEXT("e5"),
                                        TEXT("1234567:"),
                                        TEXT("/1234567"),
                                        TEXT("1234\xb5"
                                             "678") };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(none); i++)
        assert_appends(json_append_number, none[i], SPAN("null"));
    assert_appends(json_append_number, span_of(NULL, 0), SPAN("null"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(string_quotes_plain_text_of_every_length),
        cmocka_unit_test(string_escapes_one_special_byte_at_every_place),
        cmocka_unit_test(string_escapes_every_control_character),
        cmocka_unit_test(string_lets_other_characters_travel_as_they_are),
        cmocka_unit_test(string_replaces_each_maximal_ill_formed_part_once),
        cmocka_unit_test(string_of_all_256_bytes_is_valid),
        cmocka_unit_test(string_asks_a_capped_buffer_for_no_more_than_it_takes),
        cmocka_unit_test(base64_pads_every_length),
        cmocka_unit_test(bits_of_every_width_become_digits),
        cmocka_unit_test(number_keeps_the_digits_it_is_given),
        cmocka_unit_test(number_drops_what_json_does_not_allow),
        cmocka_unit_test(number_that_is_none_becomes_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
