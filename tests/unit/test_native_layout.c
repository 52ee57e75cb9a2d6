/*
 * test_native_layout.c - all items in one DATA line, byte for byte.
 */
#include "server/protocol/native.h"

#include "server/item/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* SPAN is no constant expression. */
#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
#define NO_JSON \
    {           \
        NULL, 0 \
    }

static const struct item_result results[] = {
    { TEXT("7"), TEXT("{\"id\":7,\"name\":\"a,b\",\"in\":{\"x\":1}}"), ITEM_FOUND, 0, 0 },
    { TEXT("8"), NO_JSON, ITEM_MISS, 0, 0 },
    { TEXT("t:x"), TEXT("{\"key\":\"x\",\"id\":18446744073709551616}"), ITEM_FOUND, 0,
      0 },
    { TEXT("9"), NO_JSON, ITEM_FAIL_TIMEOUT, 0, 0 },
    { TEXT("7"), TEXT("{\"id\":7,\"name\":\"a,b\",\"in\":{\"x\":1}}"), ITEM_FOUND, 0, 0 },
    { TEXT("007"), TEXT("{}"), ITEM_FOUND, 0, 0 },
    { TEXT("8"), NO_JSON, ITEM_MISS, 0, 0 },
};

static struct command
fetch_as(enum command_layout layout, const struct span *fields, size_t nfields)
{
    struct command c = { .kind = COMMAND_FETCH, .error_text = "", .layout = layout };

    c.fields = fields;
    c.nfields = nfields;
    return c;
}

/* The answer in parts of 'full' bytes; 0: in one. */
static void
check_parts(const struct command *c, size_t n, size_t full, const char *expected)
{
    void *kept = NULL;
    size_t next = 0, parts = 0;
    struct reply r = { .results = results, .nresults = n, .last = n, .elapsed = 1500 };
    struct buf out = BUF_INIT, part = BUF_INIT;

    r.next = &next;
    r.kept = &kept;
    r.full = full;
    for (; next != SIZE_MAX; parts++) {
        r.first = next;
        next = SIZE_MAX;
        buf_clear(&part);
        native_answer(&part, c, &r);
        assert_false(buf_failed(&part));
        buf_append_span(&out, buf_span(&part));
    }
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    assert_true(full > 0 || parts == 1);
    buf_fini(&part);
    buf_fini(&out);
    free(kept);
}

static void
check(const struct command *c, size_t n, const char *expected)
{
    check_parts(c, n, 0, expected);
    check_parts(c, n, 1, expected);
    check_parts(c, n, 100, expected);
}

#define A "{\"id\":7,\"name\":\"a,b\",\"in\":{\"x\":1}}"
#define B "{\"key\":\"x\",\"id\":18446744073709551616}"

static void
an_array_has_an_element_for_each_position(void **state)
{
    struct command c = fetch_as(LAYOUT_ARRAY, NULL, 0);

    (void)state;
    check(&c, 7,
          "DATA [" A ",null," B ",null," A ",{},null]\r\n"
          "DONE 4 2 1 ms=1.500 status=IMIFIIM\r\n");
    check(&c, 1, "DATA [" A "]\r\nDONE 1 0 0 ms=1.500 status=I\r\n");
}

static void
a_map_has_a_member_for_each_distinct_key(void **state)
{
    struct command c = fetch_as(LAYOUT_MAP, NULL, 0);

    (void)state;
    check(&c, 7,
          "DATA {\"7\":" A ",\"8\":null,\"t:x\":" B ",\"9\":null,\"007\":{}}\r\n"
          "DONE 4 2 1 ms=1.500 status=IMIFIIM\r\n");
}

static void
columns_have_an_array_for_each_field_of_any_item(void **state)
{
    struct command c = fetch_as(LAYOUT_COLUMNS, NULL, 0);

    (void)state;
    check(&c, 7,
          "DATA {\"id\":[7,null,18446744073709551616,null,7,null,null],"
          "\"name\":[\"a,b\",null,null,null,\"a,b\",null,null],"
          "\"in\":[{\"x\":1},null,null,null,{\"x\":1},null,null],"
          "\"key\":[null,null,\"x\",null,null,null,null]}\r\n"
          "DONE 4 2 1 ms=1.500 status=IMIFIIM\r\n");
    check(&c, 2,
          "DATA {\"id\":[7,null],\"name\":[\"a,b\",null],\"in\":[{\"x\":1},null]}\r\n"
          "DONE 1 1 0 ms=1.500 status=IM\r\n");
}

static void
layouts_show_only_the_fields_asked(void **state)
{
    const struct span fields[] = { SPAN("in.x"), SPAN("id") };
    struct command c = fetch_as(LAYOUT_ARRAY, fields, 2);

    (void)state;
    check(&c, 3,
          "DATA [{\"in.x\":1,\"id\":7},null,{\"in.x\":null,\"id\":18446744073709551616}]"
          "\r\nDONE 2 1 0 ms=1.500 status=IMI\r\n");
    c.layout = LAYOUT_MAP;
    check(&c, 2,
          "DATA {\"7\":{\"in.x\":1,\"id\":7},\"8\":null}\r\n"
          "DONE 1 1 0 ms=1.500 status=IM\r\n");
    c.layout = LAYOUT_COLUMNS;
    check(&c, 3,
          "DATA {\"in.x\":[1,null,null],\"id\":[7,null,18446744073709551616]}\r\n"
          "DONE 2 1 0 ms=1.500 status=IMI\r\n");
    c.layout = LAYOUT_LINES;
    check(&c, 2, "ITEM 7 {\"in.x\":1,\"id\":7}\r\nMISS 8\r\nDONE 1 1 0 ms=1.500\r\n");
}

static void
a_tag_stands_before_both_lines(void **state)
{
    struct command c = fetch_as(LAYOUT_MAP, NULL, 0);

    (void)state;
    c.tag_len = 2;
    memcpy(c.tag, "q7", 2);
    check(&c, 1, "#q7 DATA {\"7\":" A "}\r\n#q7 DONE 1 0 0 ms=1.500 status=I\r\n");
}

static void
traces_stand_between_data_and_done(void **state)
{
    char missing[] = "stock:timeout";
    const struct item_trace traces[] = { { "items", ITEM_FROM_SOURCE, 12, missing },
                                         { "items", ITEM_FROM_NOBODY, 0, NULL } };
    struct command c = fetch_as(LAYOUT_ARRAY, NULL, 0);
    const struct reply r = {
        .results = results, .nresults = 2, .last = 2, .traces = traces, .partial = 1
    };
    struct buf out = BUF_INIT;

    (void)state;
    c.tag_len = 1;
    c.tag[0] = 't';
    native_answer(&out, &c, &r);
    buf_append_char(&out, '\0');
    assert_string_equal(
        out.data,
        "#t DATA [" A ",null]\r\n"
        "#t TRACE 7 source=items from=source wait_us=12 missing=stock:timeout\r\n"
        "#t TRACE 8 source=items from=none wait_us=0\r\n"
        "#t DONE 1 1 0 ms=0.000 status=IM partial=1\r\n");
    buf_fini(&out);
}

static void
lines_that_are_due_come_without_the_closing_one(void **state)
{
    const uint32_t due[] = { 2, 0, 1 };
    struct command c = fetch_as(LAYOUT_LINES, NULL, 0);
    struct reply r = { .results = results, .nresults = 3, .due = due, .last = 1 };
    struct buf out = BUF_INIT;

    (void)state;
    c.as_done = true;
    r.more = true;
    native_answer(&out, &c, &r);
    r.due += 1;
    r.last = 0;
    native_answer(&out, &c, &r); /* nothing is due: not a byte */
    r.last = 2;
    r.more = false;
    native_answer(&out, &c, &r);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "ITEM t:x " B "\r\nITEM 7 " A "\r\nMISS 8\r\n"
                                  "DONE 2 1 0 ms=0.000\r\n");
    buf_fini(&out);
}

static void
an_old_item_has_a_letter_of_its_own(void **state)
{
    const struct item_result old[] = {
        { TEXT("7"), TEXT("{\"id\":7}"), ITEM_STALE, 1500, 0 },
        { TEXT("8"), NO_JSON, ITEM_FAIL_STALE, 0, 0 },
    };
    struct command c = fetch_as(LAYOUT_ARRAY, NULL, 0);
    const struct reply r = { .results = old,
                             .nresults = ARRAY_LEN(old),
                             .last = ARRAY_LEN(old) };
    struct buf out = BUF_INIT;

    (void)state;
    native_answer(&out, &c, &r);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "DATA [{\"id\":7},null]\r\n"
                                  "DONE 1 0 1 ms=0.000 status=SF\r\n");
    buf_fini(&out);
}

/* Keys of any bytes, as clients may send them: the DATA line is strict JSON. */
static void
a_map_of_odd_keys_is_strict_json(void **state)
{
    const struct item_result odd[] = {
        { TEXT("\"\\"), TEXT("{}"), ITEM_FOUND, 0, 0 },
        { TEXT("\xf0\x9f\x98\x80"), NO_JSON, ITEM_MISS, 0, 0 },
        { TEXT("\xff"), NO_JSON, ITEM_FAIL_BADID, 0, 0 },
    };
    struct command c = fetch_as(LAYOUT_MAP, NULL, 0);
    void *kept = NULL;
    const struct reply r = {
        .results = odd, .nresults = ARRAY_LEN(odd), .last = ARRAY_LEN(odd), .kept = &kept
    };
    struct buf out = BUF_INIT, checked = BUF_INIT;
    const char *end;

    (void)state;
    native_answer(&out, &c, &r);
    end = memchr(out.data, '\r', out.len);
    assert_non_null(end);
    assert_true(json_append_compact(&checked,
                                    span_of(out.data + 5, (size_t)(end - out.data) - 5)));
    buf_append_char(&checked, '\0');
    /* What is no UTF-8 cannot be a name. */
    assert_string_equal(checked.data, "{\"\\\"\\\\\":{},\"\xf0\x9f\x98\x80\":null}");
    buf_fini(&out);
    buf_fini(&checked);
    free(kept);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_has_an_element_for_each_position),
        cmocka_unit_test(a_map_has_a_member_for_each_distinct_key),
        cmocka_unit_test(columns_have_an_array_for_each_field_of_any_item),
        cmocka_unit_test(layouts_show_only_the_fields_asked),
        cmocka_unit_test(a_tag_stands_before_both_lines),
        cmocka_unit_test(traces_stand_between_data_and_done),
        cmocka_unit_test(lines_that_are_due_come_without_the_closing_one),
        cmocka_unit_test(an_old_item_has_a_letter_of_its_own),
        cmocka_unit_test(a_map_of_odd_keys_is_strict_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
