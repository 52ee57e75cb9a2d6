/*
 * test_key.c - which bytes are an id, to the digit.
 */
#include "server/source/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }

static enum source_key_verdict
canonical(const struct key_type *type, struct span key, char *out)
{
    char *exact = malloc(key.n == 0 ? 1 : key.n), *id = malloc(SOURCE_KEY_MAX);
    enum source_key_verdict verdict;
    size_t n = SIZE_MAX;

    assert_non_null(exact);
    assert_non_null(id);
    memcpy(exact, key.p, key.n);
    verdict = key_canonical(type, span_of(exact, key.n), id, &n);
    if (verdict == SOURCE_KEY_OK) {
        assert_in_range(n, 1, SOURCE_KEY_MAX);
        memcpy(out, id, n);
        out[n] = '\0';
    }
    free(exact);
    free(id);
    return verdict;
}

static void
assert_id(const struct key_type *type, const char *key, const char *expected)
{
    char id[SOURCE_KEY_MAX + 1];

    assert_int_equal(canonical(type, span_str(key), id), SOURCE_KEY_OK);
    assert_string_equal(id, expected);
}

static void
assert_no_id(const struct key_type *type, struct span key, enum source_key_verdict why)
{
    char id[SOURCE_KEY_MAX + 1];

    assert_int_equal(canonical(type, key, id), why);
}

/* --- integers ---------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    unsigned bits;
    bool is_unsigned;
    const char *least, *below, *most, *above;
} ranges[] = {
    { 8,  false, "-128",                 "-129",                 "127",                  "128" },
    { 8,  true,  "0",                    "-1",                   "255",                  "256" },
    { 16, false, "-32768",               "-32769",               "32767",                "32768" },
    { 16, true,  "0",                    "-1",                   "65535",                "65536" },
    { 24, false, "-8388608",             "-8388609",             "8388607",              "8388608" },
    { 24, true,  "0",                    "-1",                   "16777215",             "16777216" },
    { 32, false, "-2147483648",          "-2147483649",          "2147483647",           "2147483648" },
    { 32, true,  "0",                    "-1",                   "4294967295",           "4294967296" },
    { 64, false, "-9223372036854775808", "-9223372036854775809", "9223372036854775807",  "9223372036854775808" },
    { 64, true,  "0",                    "-1",                   "18446744073709551615", "18446744073709551616" },
};
/* clang-format on */

static struct key_type
range_type(size_t i)
{
    return (struct key_type){ KEY_INTEGER, ranges[i].is_unsigned, ranges[i].bits };
}

static void
key_takes_all_of_a_columns_range_and_nothing_beyond(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(ranges); i++) {
        struct key_type type = range_type(i);

        assert_id(&type, ranges[i].least, ranges[i].least);
        assert_id(&type, ranges[i].most, ranges[i].most);
        assert_no_id(&type, span_str(ranges[i].below), SOURCE_KEY_ABSENT);
        assert_no_id(&type, span_str(ranges[i].above), SOURCE_KEY_ABSENT);
    }
}

static void
key_drops_leading_zeros_and_the_sign_of_zero(void **state)
{
    char zeros[SOURCE_KEY_MAX + 1];
    size_t i;

    (void)state;
    memset(zeros, '0', SOURCE_KEY_MAX);
    zeros[SOURCE_KEY_MAX] = '\0';
    for (i = 0; i < ARRAY_LEN(ranges); i++) {
        struct key_type type = range_type(i);

        assert_id(&type, "007", "7");
        assert_id(&type, "0", "0");
        assert_id(&type, "000", "0");
        assert_id(&type, "-0", "0");
        assert_id(&type, "-000", "0");
        assert_id(&type, zeros, "0");
        zeros[SOURCE_KEY_MAX - 1] = '9';
        assert_id(&type, zeros, "9");
        zeros[0] = '-';
        if (ranges[i].is_unsigned)
            assert_no_id(&type, span_str(zeros), SOURCE_KEY_ABSENT);
        else
            assert_id(&type, zeros, "-9");
        zeros[0] = zeros[SOURCE_KEY_MAX - 1] = '0';
    }
}

static void
key_refuses_what_is_not_plain_digits(void **state)
{
    static const struct span bad[] = {
        TEXT(""),
        TEXT("-"),
        TEXT("--1"),
        TEXT("+1"),
        TEXT(" 1"),
        TEXT("1 "),
        TEXT("1\n"),
        TEXT("1.0"),
        TEXT("1e3"),
        TEXT("1E3"),
        TEXT("0x10"),
        TEXT("1,000"),
        TEXT("1_000"),
        TEXT("abc"),
        TEXT("1a"),
        TEXT("a1"),
        TEXT("1-"),
        TEXT("1-2"),
        TEXT("-a"),
        TEXT("- 1"),
        TEXT("1'"),
        TEXT("1;"),
        TEXT("1)"),
        TEXT("NULL"),
        TEXT("inf"),
        TEXT("1\0"),
        TEXT("\0"),
        TEXT("1\0"
             "2"),
        TEXT("/"),
        TEXT(":"),
        TEXT("\xd9\xa1"),     /* an arabic one */
        TEXT("\xef\xbc\x91"), /* a wide one */
        TEXT("99999999999999999999999999x"),
    };
    size_t i, r;

    (void)state;
    for (r = 0; r < ARRAY_LEN(ranges); r++) {
        struct key_type type = range_type(r);

        for (i = 0; i < ARRAY_LEN(bad); i++)
            assert_no_id(&type, bad[i], SOURCE_KEY_BAD);
    }
}

static void
key_too_long_to_count_is_absent(void **state)
{
    static const char *const absent[] = {
        "18446744073709551616",        "18446744073709551620",  "18446744073709551625",
        "99999999999999999999",        "100000000000000000000", "184467440737095516150",
        "-18446744073709551616",       "-99999999999999999999", "-100000000000000000000",
        "000000018446744073709551616",
    };
    char digits[SOURCE_KEY_MAX + 2];
    size_t i, r;

    (void)state;
    memset(digits, '9', sizeof(digits));
    for (r = 0; r < ARRAY_LEN(ranges); r++) {
        struct key_type type = range_type(r);

        for (i = 0; i < ARRAY_LEN(absent); i++)
            assert_no_id(&type, span_str(absent[i]), SOURCE_KEY_ABSENT);
        assert_no_id(&type, span_of(digits, SOURCE_KEY_MAX), SOURCE_KEY_ABSENT);
        assert_no_id(&type, span_of(digits, SOURCE_KEY_MAX + 1), SOURCE_KEY_BAD);
    }
}

static void
key_agrees_with_arithmetic_on_every_small_number(void **state)
{
    char key[32], id[SOURCE_KEY_MAX + 1];
    size_t r;
    int i;

    (void)state;
    for (r = 0; r < 4; r++) {
        struct key_type type = range_type(r);
        int least = atoi(ranges[r].least), most = atoi(ranges[r].most);

        for (i = -70000; i <= 70000; i++) {
            snprintf(key, sizeof(key), "%d", i);
            if (i < least || i > most) {
                assert_no_id(&type, span_str(key), SOURCE_KEY_ABSENT);
            } else {
                assert_int_equal(canonical(&type, span_str(key), id), SOURCE_KEY_OK);
                assert_string_equal(id, key);
            }
        }
    }
}

/* --- text and bytes ------------------------------------------------------------------ */

static void
key_takes_utf8_text_as_it_is(void **state)
{
    static const struct key_type text = { .kind = KEY_TEXT };
    static const char *const good[] = { "a",           "A",
                                        "007",         "-0",
                                        "user:123",    "role::program",
                                        "a'b\"c`d\\e", "%",
                                        "\xc3\xa9",    "\xf0\x9f\x98\x80",
                                        "e\xcc\x81" };
    static const struct span bad[] = { TEXT(""),         TEXT("\xff"),
                                       TEXT("\xc3"),     TEXT("a\xed\xa0\x80"),
                                       TEXT("\xc0\xaf"), TEXT("\xf4\x90\x80\x80") };
    char longest[SOURCE_KEY_MAX + 2];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(good); i++)
        assert_id(&text, good[i], good[i]);
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_no_id(&text, bad[i], SOURCE_KEY_BAD);
    memset(longest, 'x', sizeof(longest));
    longest[SOURCE_KEY_MAX + 1] = '\0';
    assert_no_id(&text, span_str(longest), SOURCE_KEY_BAD);
    longest[SOURCE_KEY_MAX] = '\0';
    assert_id(&text, longest, longest);
}

static void
key_takes_any_bytes_for_a_binary_column(void **state)
{
    static const struct key_type binary = { .kind = KEY_BINARY };
    char all[255], id[SOURCE_KEY_MAX + 1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all); i++)
        all[i] = (char)(i + 1);
    for (i = 0; i + SOURCE_KEY_MAX <= sizeof(all); i++) {
        assert_int_equal(canonical(&binary, span_of(all + i, SOURCE_KEY_MAX), id),
                         SOURCE_KEY_OK);
        assert_memory_equal(id, all + i, SOURCE_KEY_MAX);
    }
    assert_no_id(&binary, span_of(all, SOURCE_KEY_MAX + 1), SOURCE_KEY_BAD);
    assert_no_id(&binary, SPAN(""), SOURCE_KEY_BAD);
}

/* --- rows and columns ----------------------------------------------------------------- */

static void
key_from_row_is_the_canonical_form(void **state)
{
    static const struct key_type number = { KEY_INTEGER, true, 32 };
    static const struct key_type text = { .kind = KEY_TEXT };

    (void)state;
    assert_true(span_equal(key_from_row(&number, SPAN("0007")), SPAN("7")));
    assert_true(span_equal(key_from_row(&number, SPAN("0000")), SPAN("0")));
    assert_true(span_equal(key_from_row(&number, SPAN("0")), SPAN("0")));
    assert_true(span_equal(key_from_row(&number, SPAN("1000")), SPAN("1000")));
    assert_true(span_equal(key_from_row(&number, SPAN("-7")), SPAN("-7")));
    assert_int_equal(key_from_row(&number, SPAN("")).n, 0);
    assert_true(span_equal(key_from_row(&text, SPAN("0007")), SPAN("0007")));
}

/* clang-format off */
static const struct {
    const char *data_type, *column_type, *kind; /* NULL: no key */
    bool is_unsigned;
    unsigned bits;
} columns[] = {
    { "tinyint",   "tinyint(4)",                     "integer", false, 8 },
    { "tinyint",   "tinyint(1) unsigned",            "integer", true,  8 },
    { "smallint",  "smallint(6)",                    "integer", false, 16 },
    { "mediumint", "mediumint(8) unsigned",          "integer", true,  24 },
    { "int",       "int(10) unsigned zerofill",      "integer", true,  32 },
    { "INT",       "int(11)",                        "integer", false, 32 },
    { "bigint",    "bigint(20)",                     "integer", false, 64 },
    { "bigint",    "bigint(20) unsigned",            "integer", true,  64 },
    { "varchar",   "varchar(64)",                    "text",    false, 0 },
    { "char",      "char(3)",                        "text",    false, 0 },
    { "enum",      "enum('unsigned','b')",           "text",    false, 0 },
    { "uuid",      "uuid",                           "text",    false, 0 },
    { "inet6",     "inet6",                          "text",    false, 0 },
    { "longtext",  "longtext",                       "text",    false, 0 },
    { "binary",    "binary(16)",                     "binary",  false, 0 },
    { "varbinary", "varbinary(64)",                  "binary",  false, 0 },
    { "blob",      "blob",                           "binary",  false, 0 },
    { "decimal",   "decimal(10,0)",                  NULL,      false, 0 },
    { "float",     "float",                          NULL,      false, 0 },
    { "double",    "double unsigned",                NULL,      false, 0 },
    { "datetime",  "datetime(6)",                    NULL,      false, 0 },
    { "bit",       "bit(8)",                         NULL,      false, 0 },
    { "set",       "set('a')",                       NULL,      false, 0 },
    { "in",        "in",                             NULL,      false, 0 },
    { "integers",  "integers",                       NULL,      false, 0 },
    { "",          "",                               NULL,      false, 0 },
};
/* clang-format on */

static void
key_type_is_read_from_the_column(void **state)
{
    struct key_type type;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(columns); i++) {
        bool usable = key_type_parse(span_str(columns[i].data_type),
                                     span_str(columns[i].column_type), &type);

        assert_int_equal(usable, columns[i].kind != NULL);
        if (!usable)
            continue;
        assert_string_equal(key_kind_name(type.kind), columns[i].kind);
        assert_int_equal(type.is_unsigned, columns[i].is_unsigned);
        assert_int_equal(type.bits, columns[i].bits);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_takes_all_of_a_columns_range_and_nothing_beyond),
        cmocka_unit_test(key_drops_leading_zeros_and_the_sign_of_zero),
        cmocka_unit_test(key_refuses_what_is_not_plain_digits),
        cmocka_unit_test(key_too_long_to_count_is_absent),
        cmocka_unit_test(key_agrees_with_arithmetic_on_every_small_number),
        cmocka_unit_test(key_takes_utf8_text_as_it_is),
        cmocka_unit_test(key_takes_any_bytes_for_a_binary_column),
        cmocka_unit_test(key_from_row_is_the_canonical_form),
        cmocka_unit_test(key_type_is_read_from_the_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
