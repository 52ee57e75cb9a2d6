/*
 * test_compose.c - a row becomes an item, to the byte, or nothing at all.
 */
#include "server/item/compose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COLUMNS_MAX 16
#define SQL_NULL ((struct span){ NULL, 0 })

/* A table of columns a, b, c, ... */
struct table {
    struct compose_plan *plan;
    size_t n;
};

static struct table
table_of(const enum compose_kind *kinds, size_t n)
{
    static const char letters[] = "abcdefghijklmnop";
    struct span names[COLUMNS_MAX];
    struct table t = { NULL, n };
    size_t i;

    assert_true(n <= COLUMNS_MAX);
    for (i = 0; i < n; i++)
        names[i] = span_of(letters + i, 1);
    t.plan = compose_plan_new(names, kinds, n);
    assert_non_null(t.plan);
    return t;
}

/* The item of a row; in a block that has not a byte to spare, and again in a buffer
 * that must not grow past it. */
static void
assert_item(const struct table *t, const struct span *row, const char *expected)
{
    size_t n = strlen(expected);
    struct buf out = BUF_INIT;

    assert_true(compose_item(t->plan, row, 0, &out));
    assert_int_equal(buf_size(&out), n);
    assert_memory_equal(out.data, expected, n);
    buf_fini(&out);

    out.data = malloc(n);
    assert_non_null(out.data);
    out.cap = out.max = n;
    assert_true(compose_item(t->plan, row, n, &out));
    assert_int_equal(out.cap, n);
    assert_int_equal(buf_size(&out), n);
    assert_memory_equal(out.data, expected, n);
    buf_fini(&out);
}

static void
assert_value(enum compose_kind kind, struct span value, const char *expected)
{
    struct table t = table_of(&kind, 1);
    char item[512];

    snprintf(item, sizeof(item), "{\"a\":%s}", expected);
    assert_item(&t, &value, item);
    compose_plan_free(&t.plan);
}

static void
item_shows_every_kind_in_the_order_of_the_plan(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_NUMBER, COMPOSE_TEXT,
                                               COMPOSE_BINARY, COMPOSE_BITS,
                                               COMPOSE_JSON };
    struct table t = table_of(kinds, ARRAY_LEN(kinds));
    const struct span row[] = { SPAN("0042"), SPAN("say \"hi\""), SPAN("\0\1\2\xff"),
                                SPAN("\1\0"), SPAN("{ \"k\": [1,\n 2] }") };

    (void)state;
    assert_item(&t, row,
                "{\"a\":42,\"b\":\"say \\\"hi\\\"\",\"c\":\"AAEC/w==\",\"d\":256,"
                "\"e\":{\"k\":[1,2]}}");
    compose_plan_free(&t.plan);
    assert_null(t.plan);
}

static void
item_shows_sql_null_as_null_in_every_kind(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_NUMBER, COMPOSE_TEXT,
                                               COMPOSE_BINARY, COMPOSE_BITS,
                                               COMPOSE_JSON };
    struct table t = table_of(kinds, ARRAY_LEN(kinds));
    const struct span row[] = {
        SQL_NULL, { NULL, 1000000 }, SQL_NULL, SQL_NULL, SQL_NULL
    };

    (void)state;
    assert_item(&t, row, "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null}");
    compose_plan_free(&t.plan);
}

static void
item_shows_empty_values_as_empty_not_null(void **state)
{
    (void)state;
    assert_value(COMPOSE_TEXT, SPAN(""), "\"\"");
    assert_value(COMPOSE_BINARY, SPAN(""), "\"\"");
    assert_value(COMPOSE_JSON, SPAN(""), "\"\"");
    assert_value(COMPOSE_NUMBER, SPAN(""), "null"); /* no number is empty */
}

static void
item_keeps_the_digits_of_numbers(void **state)
{
    (void)state;
    assert_value(COMPOSE_NUMBER, SPAN("9007199254740993"), "9007199254740993");
    assert_value(COMPOSE_NUMBER, SPAN("18446744073709551615"), "18446744073709551615");
    assert_value(COMPOSE_NUMBER, SPAN("-00000012.50"), "-12.50");
    assert_value(COMPOSE_NUMBER, SPAN("0000"), "0");
    assert_value(COMPOSE_NUMBER, SPAN("-0"), "-0");
    assert_value(COMPOSE_NUMBER, SPAN("1.7976931348623157e308"),
                 "1.7976931348623157e308");
    assert_value(COMPOSE_NUMBER, SPAN(".5"), "0.5");
}

static void
item_without_skipped_columns_reads_them_not(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_SKIP, COMPOSE_NUMBER, COMPOSE_SKIP,
                                               COMPOSE_TEXT, COMPOSE_SKIP };
    struct table t = table_of(kinds, ARRAY_LEN(kinds));
    const struct span row[] = { { (const char *)1, 1 },
                                SPAN("1"),
                                { (const char *)1, 1 },
                                SPAN("x"),
                                { (const char *)1, 1 } };

    (void)state;
    assert_item(&t, row, "{\"b\":1,\"d\":\"x\"}");
    compose_plan_free(&t.plan);
}

static void
item_of_no_columns_is_an_empty_object(void **state)
{
    static const enum compose_kind skip = COMPOSE_SKIP;
    struct table none = table_of(NULL, 0), key_only = table_of(&skip, 1);
    struct buf out = BUF_INIT;
    struct span row = SPAN("7");

    (void)state;
    assert_item(&none, NULL, "{}");
    assert_item(&key_only, &row, "{}");
    assert_false(compose_item(none.plan, NULL, 1, &out));
    assert_int_equal(buf_size(&out), 0);
    buf_fini(&out);
    compose_plan_free(&none.plan);
    compose_plan_free(&key_only.plan);
    compose_plan_free(&key_only.plan); /* NULL by now: nothing to do */
}

static void
item_escapes_column_names(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_NUMBER, COMPOSE_NUMBER,
                                               COMPOSE_NUMBER, COMPOSE_NUMBER,
                                               COMPOSE_NUMBER };
    const struct span names[] = {
        SPAN("a \"b\"\\\n"), SPAN(""), SPAN("na\xc3\xafve \xf0\x9f\x98\x80"),
        SPAN("a name as long as those that reports give to sums"), SPAN("bad \xff")
    };
    const struct span row[] = { SPAN("1"), SPAN("2"), SPAN("3"), SPAN("4"), SPAN("5") };
    struct table t = { NULL, ARRAY_LEN(names) };

    (void)state;
    t.plan = compose_plan_new(names, kinds, ARRAY_LEN(names));
    assert_non_null(t.plan);
    assert_item(&t, row,
                "{\"a \\\"b\\\"\\\\\\n\":1,\"\":2,\"na\xc3\xafve \xf0\x9f\x98\x80\":3,"
                "\"a name as long as those that reports give to sums\":4,"
                "\"bad \xef\xbf\xbd\":5}");
    compose_plan_free(&t.plan);
}

static void
plan_keeps_its_own_copy_of_the_names(void **state)
{
    static const enum compose_kind kind = COMPOSE_NUMBER;
    char name[] = "price";
    struct span names = span_str(name), row = SPAN("1");
    struct table t = { compose_plan_new(&names, &kind, 1), 1 };

    (void)state;
    assert_non_null(t.plan);
    memset(name, 'x', sizeof(name));
    assert_item(&t, &row, "{\"price\":1}");
    compose_plan_free(&t.plan);
}

static void
item_shows_what_is_not_json_as_a_string(void **state)
{
    (void)state;
    assert_value(COMPOSE_JSON, SPAN("{\"a\": 1,}"), "\"{\\\"a\\\": 1,}\"");
    assert_value(COMPOSE_JSON, SPAN("not\njson"), "\"not\\njson\"");
    assert_value(COMPOSE_JSON, SPAN("[1, 2]\n3"), "\"[1, 2]\\n3\"");
    assert_value(COMPOSE_JSON, SPAN("\n [ 1 ,\r\n2 ] "), "[1,2]");
}

static void
item_mends_and_escapes_text(void **state)
{
    (void)state;
    assert_value(COMPOSE_TEXT, SPAN("line\r\nEND\r\n"), "\"line\\r\\nEND\\r\\n\"");
    assert_value(COMPOSE_TEXT, SPAN("nul \0 and \x1f"), "\"nul \\u0000 and \\u001f\"");
    assert_value(COMPOSE_TEXT, SPAN("\xe2\x80\xa8\xf0\x9f\x98\x80"),
                 "\"\xe2\x80\xa8\xf0\x9f\x98\x80\"");
    assert_value(COMPOSE_TEXT, SPAN("cut \xf0\x9f\x98"), "\"cut \xef\xbf\xbd\"");
}

static void
item_of_exactly_the_bound_fits_and_one_more_does_not(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_NUMBER, COMPOSE_TEXT, COMPOSE_JSON,
                                               COMPOSE_BINARY, COMPOSE_BITS };
    struct table t = table_of(kinds, ARRAY_LEN(kinds));
    const struct span row[] = { SPAN("0000000000000000000001"), SPAN("\1\2\xff plain"),
                                SPAN("[                                      1 ]"),
                                SPAN("abcd"), SPAN("\0\0\0\0\0\0\0\1") };
    const char *expected =
        "{\"a\":1,\"b\":\"\\u0001\\u0002\xef\xbf\xbd plain\",\"c\":[1],"
        "\"d\":\"YWJjZA==\",\"e\":1}";
    struct buf out = BUF_INIT;
    size_t n;

    (void)state;
    assert_item(&t, row, expected); /* with its length as the bound */
    BUF_APPEND_LIT(&out, "before");
    for (n = 1; n < strlen(expected); n++) {
        assert_false(compose_item(t.plan, row, n, &out));
        assert_int_equal(buf_size(&out), 6);
        assert_memory_equal(out.data, "before", 6);
        assert_false(buf_failed(&out));
    }
    assert_true(compose_item(t.plan, row, n, &out));
    assert_int_equal(buf_size(&out), 6 + n);
    buf_fini(&out);
    compose_plan_free(&t.plan);
}

static void
item_too_large_is_refused_before_it_takes_memory(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_NUMBER, COMPOSE_TEXT,
                                               COMPOSE_BINARY, COMPOSE_JSON };
    size_t large = 1 << 20, i;
    char *bytes = malloc(large);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, '\1', large);
    for (i = 0; i < ARRAY_LEN(kinds); i++) {
        struct table t = table_of(&kinds[i], 1);
        struct span row = span_of(bytes, large);
        struct buf out = BUF_INIT;

        memset(bytes, kinds[i] == COMPOSE_NUMBER ? '1' : '\1', large);
        assert_false(compose_item(t.plan, &row, 1000, &out));
        assert_int_equal(buf_size(&out), 0);
        assert_true(out.cap <= 2048);
        if (kinds[i] == COMPOSE_TEXT) { /* it would fit but for its escapes */
            assert_false(compose_item(t.plan, &row, large + 100, &out));
            assert_true(out.cap <= 4 * large);
        }
        buf_fini(&out);
        compose_plan_free(&t.plan);
    }
    free(bytes);
}

static void
item_without_room_leaves_the_buffer_failed_and_unchanged(void **state)
{
    static const enum compose_kind kinds[] = { COMPOSE_NUMBER, COMPOSE_TEXT };
    struct table t = table_of(kinds, ARRAY_LEN(kinds));
    const struct span row[] = { SPAN("1"), SPAN("some text\n") };
    struct buf out;

    (void)state;
    buf_init(&out, 30);
    BUF_APPEND_LIT(&out, "before");
    assert_false(compose_item(t.plan, row, 0, &out));
    assert_true(buf_failed(&out));
    assert_int_equal(buf_size(&out), 6);
    assert_memory_equal(buf_span(&out).p, "before", 6);
    assert_false(compose_item(t.plan, row, 0, &out)); /* it stays failed */
    buf_clear(&out);
    assert_true(compose_item(t.plan, row, 0, &out));
    assert_false(buf_failed(&out));
    buf_fini(&out);
    compose_plan_free(&t.plan);
}

static void
items_follow_what_was_consumed(void **state)
{
    static const enum compose_kind kind = COMPOSE_TEXT;
    struct table t = table_of(&kind, 1);
    struct span row = SPAN("text with an escape \n in it, and more of it");
    struct buf out = BUF_INIT;
    size_t n = 0, i;

    (void)state;
    assert_true(compose_item(t.plan, &row, 0, &out));
    n = buf_size(&out);
    for (i = 0; i < 50;
         i++) { /* the live bytes move within the block and to larger ones */
        assert_true(compose_item(t.plan, &row, 0, &out));
        if (i % 3 != 0)
            buf_consume(&out, n);
        assert_memory_equal(buf_span(&out).p, "{\"a\":\"text", 10);
        assert_int_equal(buf_size(&out) % n, 0);
        assert_memory_equal(buf_span(&out).p + buf_size(&out) - 5, " it\"}", 5);
    }
    buf_fini(&out);
    compose_plan_free(&t.plan);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_shows_every_kind_in_the_order_of_the_plan),
        cmocka_unit_test(item_shows_sql_null_as_null_in_every_kind),
        cmocka_unit_test(item_shows_empty_values_as_empty_not_null),
        cmocka_unit_test(item_keeps_the_digits_of_numbers),
        cmocka_unit_test(item_without_skipped_columns_reads_them_not),
        cmocka_unit_test(item_of_no_columns_is_an_empty_object),
        cmocka_unit_test(item_escapes_column_names),
        cmocka_unit_test(plan_keeps_its_own_copy_of_the_names),
        cmocka_unit_test(item_shows_what_is_not_json_as_a_string),
        cmocka_unit_test(item_mends_and_escapes_text),
        cmocka_unit_test(item_of_exactly_the_bound_fits_and_one_more_does_not),
        cmocka_unit_test(item_too_large_is_refused_before_it_takes_memory),
        cmocka_unit_test(item_without_room_leaves_the_buffer_failed_and_unchanged),
        cmocka_unit_test(items_follow_what_was_consumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
