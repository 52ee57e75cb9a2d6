/*
 * test_mariadb_sql.c - every byte of SQL, and no client's byte among them.
 */
#include "server/source/mariadb_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Compares and empties. */
static void
assert_sql(struct buf *out, const char *expected)
{
    assert_false(buf_failed(out));
    buf_append_char(out, '\0');
    assert_string_equal(buf_span(out).p, expected);
    buf_clear(out);
}

static void
sql_doubles_the_backticks_of_a_name(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    sql_append_name(&out, SPAN("items"));
    assert_sql(&out, "`items`");
    sql_append_name(&out, SPAN("a`b``c`"));
    assert_sql(&out, "`a``b````c```");
    sql_append_name(&out, SPAN("order by 'x' -- \\"));
    assert_sql(&out, "`order by 'x' -- \\`");
    sql_append_name(&out, SPAN(""));
    assert_sql(&out, "``");
    buf_fini(&out);
}

static void
sql_prints_integers_as_digits_and_the_rest_as_hexadecimal(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    sql_append_id(&out, KEY_INTEGER, SPAN("-9223372036854775808"));
    assert_sql(&out, "-9223372036854775808");
    sql_append_id(&out, KEY_TEXT, SPAN("ab"));
    assert_sql(&out, "_utf8mb4 x'6162'");
    sql_append_id(&out, KEY_BINARY, SPAN("ab"));
    assert_sql(&out, "x'6162'");
    sql_append_id(&out, KEY_TEXT, SPAN("') OR 1=1 -- "));
    assert_sql(&out, "_utf8mb4 x'2729204f5220313d31202d2d20'");
    sql_append_id(&out, KEY_TEXT, SPAN("\xf0\x9f\x98\x80\\'\""));
    assert_sql(&out, "_utf8mb4 x'f09f98805c2722'");
    sql_append_id(&out, KEY_BINARY, SPAN("\0\x01\x7f\x80\xff"));
    assert_sql(&out, "x'00017f80ff'");
    buf_fini(&out);
}

static void
sql_of_any_bytes_is_hexadecimal_alone(void **state)
{
    char bytes[SOURCE_KEY_MAX];
    struct buf out = BUF_INIT;
    size_t i, from;

    (void)state;
    for (from = 0; from < 256; from += 5) {
        for (i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)(from + i);
        sql_append_id(&out, KEY_BINARY, span_of(bytes, sizeof(bytes)));
        assert_int_equal(buf_size(&out), 2 * sizeof(bytes) + 3);
        buf_append_char(&out, '\0');
        assert_memory_equal(out.data, "x'", 2);
        assert_int_equal(strspn(out.data + 2, "0123456789abcdef"), 2 * sizeof(bytes));
        assert_string_equal(out.data + 2 + 2 * sizeof(bytes), "'");
        buf_clear(&out);
    }
    buf_fini(&out);
}

static void
sql_time_limit_is_never_zero(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    sql_append_time_limit(&out, 123456);
    assert_sql(&out, "SET STATEMENT max_statement_time=0.123456 FOR ");
    sql_append_time_limit(&out, 5 * USEC_PER_SEC + 7);
    assert_sql(&out, "SET STATEMENT max_statement_time=5.000007 FOR ");
    sql_append_time_limit(&out, 0); /* 0 would mean no limit at all */
    assert_sql(&out, "SET STATEMENT max_statement_time=0.001000 FOR ");
    sql_append_time_limit(&out, 86400 * USEC_PER_SEC);
    assert_sql(&out, "SET STATEMENT max_statement_time=86400.000000 FOR ");
    buf_fini(&out);
}

static void
sql_select_forces_the_index(void **state)
{
    char table[] = "it`ems", id[] = "id", title[] = "ti`tle", *columns[] = { id, title };
    struct config_source all = { .table = table, .key = id };
    struct config_source some = all;
    struct buf out = BUF_INIT;

    (void)state;
    some.columns = columns;
    some.ncolumns = 2;
    sql_append_select(&out, "shop", &all, SPAN("ID"), false, SPAN("PRIMARY"));
    assert_sql(&out, "SELECT t.* FROM `shop`.`it``ems` t FORCE INDEX (`PRIMARY`)"
                     " WHERE `ID` IN (");
    sql_append_select(&out, "sh`op", &some, SPAN("id"), false, SPAN("k`1"));
    assert_sql(&out, "SELECT `id`,`ti``tle` FROM `sh``op`.`it``ems` t"
                     " FORCE INDEX (`k``1`) WHERE `id` IN (");
    sql_append_select(&out, "shop", &all, SPAN("id"), true, SPAN("PRIMARY"));
    assert_sql(&out, "SELECT `id`,t.* FROM `shop`.`it``ems` t FORCE INDEX (`PRIMARY`)"
                     " WHERE `id` IN (");
    some.columns = columns + 1;
    some.ncolumns = 1;
    sql_append_select(&out, "shop", &some, SPAN("id"), true, SPAN("PRIMARY"));
    assert_sql(&out, "SELECT `id`,`ti``tle` FROM `shop`.`it``ems` t"
                     " FORCE INDEX (`PRIMARY`) WHERE `id` IN (");
    buf_fini(&out);
}

static void
sql_explain_asks_for_two_made_up_ids(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    sql_append_explain(&out, USEC_PER_SEC, SPAN("SELECT 1 IN ("), KEY_INTEGER);
    assert_sql(&out, "SET STATEMENT max_statement_time=1.000000 FOR "
                     "EXPLAIN SELECT 1 IN (1,2)");
    sql_append_explain(&out, USEC_PER_SEC, SPAN("SELECT 1 IN ("), KEY_TEXT);
    assert_sql(&out, "SET STATEMENT max_statement_time=1.000000 FOR "
                     "EXPLAIN SELECT 1 IN (_utf8mb4 x'31',_utf8mb4 x'32')");
    buf_fini(&out);
}

static size_t
count_of(const struct buf *out, const char *what)
{
    const char *p = out->data;
    size_t n = 0;

    while ((p = strstr(p, what)) != NULL) {
        n++;
        p++;
    }
    return n;
}

static void
sql_discovery_holds_no_name_as_it_was_written(void **state)
{
    char table[] = "it'ems", key[] = "i'd";
    struct config_source source = { .table = table, .key = key };
    struct buf out = BUF_INIT;

    (void)state;
    sql_append_discovery(&out, "sh'op", &source);
    assert_false(buf_failed(&out));
    buf_append_char(&out, '\0');
    assert_int_equal(count_of(&out, "_utf8mb4 x'7368276f70'"), 3);
    assert_int_equal(count_of(&out, "_utf8mb4 x'697427656d73'"), 3);
    assert_int_equal(count_of(&out, "_utf8mb4 x'692764'"), 1);
    assert_int_equal(count_of(&out, "sh'op"), 0);
    assert_int_equal(count_of(&out, "it'ems"), 0);
    assert_int_equal(count_of(&out, "i'd"), 0);
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_doubles_the_backticks_of_a_name),
        cmocka_unit_test(sql_prints_integers_as_digits_and_the_rest_as_hexadecimal),
        cmocka_unit_test(sql_of_any_bytes_is_hexadecimal_alone),
        cmocka_unit_test(sql_time_limit_is_never_zero),
        cmocka_unit_test(sql_select_forces_the_index),
        cmocka_unit_test(sql_explain_asks_for_two_made_up_ids),
        cmocka_unit_test(sql_discovery_holds_no_name_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
