/*
 * test_options.c - the option table, what is derived from it, and the units.
 */
#include "server/config/options.h"

#include "server/config/config.h"
#include "server/config/fields.h"
#include "server/config/value.h"
#include "tests/unit/config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
durations_need_a_unit(void **state)
{
    uint64_t ms;

    (void)state;
    assert_true(value_parse_ms("250ms", &ms) && ms == 250);
    assert_true(value_parse_ms("10s", &ms) && ms == 10000);
    assert_true(value_parse_ms("2m", &ms) && ms == 120000);
    assert_true(value_parse_ms("1h", &ms) && ms == 3600000);
    assert_true(value_parse_ms("0", &ms) && ms == 0);
    assert_true(value_parse_ms("0s", &ms) && ms == 0);
    assert_false(value_parse_ms("250", &ms));
    assert_false(value_parse_ms("ms", &ms));
    assert_false(value_parse_ms("", &ms));
    assert_false(value_parse_ms("1 s", &ms));
    assert_false(value_parse_ms("1.5s", &ms));
    assert_false(value_parse_ms("-1s", &ms));
    assert_false(value_parse_ms("1S", &ms));
}

static void
sizes_are_powers_of_1024(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_true(value_parse_bytes("17", &bytes) && bytes == 17);
    assert_true(value_parse_bytes("64K", &bytes) && bytes == 65536);
    assert_true(value_parse_bytes("4M", &bytes) && bytes == 4 << 20);
    assert_true(value_parse_bytes("2G", &bytes) && bytes == (uint64_t)2 << 30);
    assert_false(value_parse_bytes("64KB", &bytes));
    assert_false(value_parse_bytes("64k", &bytes));
    assert_false(value_parse_bytes("K", &bytes));
    assert_false(value_parse_bytes("0x10", &bytes));
}

static void
numbers_beyond_64_bits_stay_too_large(void **state)
{
    uint64_t v;

    (void)state;
    assert_true(value_parse_count("18446744073709551615", &v) && v == UINT64_MAX);
    assert_true(value_parse_count("18446744073709551616", &v) && v == UINT64_MAX);
    assert_true(value_parse_count("99999999999999999999999", &v) && v == UINT64_MAX);
    assert_true(value_parse_bytes("17179869184G", &v) && v == UINT64_MAX);
    assert_true(value_parse_ms("99999999999999999h", &v) && v == UINT64_MAX);
}

static void
values_are_shown_in_the_largest_whole_unit(void **state)
{
    static const uint64_t values[] = { 0,       1,       999,      1000,
                                       1024,    1500,    60000,    90000,
                                       1 << 20, 3600000, 86400000, (uint64_t)1 << 40 };
    char text[VALUE_TEXT];
    uint64_t back;
    size_t i;

    (void)state;
    assert_string_equal(value_format_ms(60000, text), "1m");
    assert_string_equal(value_format_ms(1500, text), "1500ms");
    assert_string_equal(value_format_ms(0, text), "0");
    assert_string_equal(value_format_bytes(1 << 20, text), "1M");
    assert_string_equal(value_format_bytes(1500, text), "1500");
    for (i = 0; i < ARRAY_LEN(values); i++) {
        assert_true(value_parse_ms(value_format_ms(values[i], text), &back));
        assert_int_equal(back, values[i]);
        assert_true(value_parse_bytes(value_format_bytes(values[i], text), &back));
        assert_int_equal(back, values[i]);
    }
}

static void
every_default_is_within_its_own_range(void **state)
{
    struct config c;
    struct config_database d;
    struct config_source s;

    (void)state;
    memset(&c, 0, sizeof(c));
    memset(&d, 0, sizeof(d));
    memset(&s, 0, sizeof(s));
    assert_true(fields_default(SECTION_TOP, &c));
    assert_true(fields_default(SECTION_LIMITS, &c));
    assert_true(fields_default(SECTION_LOADER, &c));
    assert_true(fields_default(SECTION_CACHE, &c));
    assert_true(fields_default(SECTION_DATABASE, &d));
    assert_true(fields_default(SECTION_SOURCE, &s));
    fields_free(SECTION_TOP, &c);
    fields_free(SECTION_LIMITS, &c);
    fields_free(SECTION_LOADER, &c);
    fields_free(SECTION_CACHE, &c);
    fields_free(SECTION_DATABASE, &d);
    fields_free(SECTION_SOURCE, &s);
}

static void
a_refused_value_leaves_the_old_one(void **state)
{
    const struct option *o = option_find(SECTION_TOP, "workers");
    struct buf why = BUF_INIT;
    struct config c;

    (void)state;
    memset(&c, 0, sizeof(c));
    assert_true(field_set(o, &c, "7", false, &why));
    assert_false(field_set(o, &c, "257", false, &why));
    assert_int_equal(c.workers, 7);
    buf_fini(&why);
}

static void
names_are_counted_in_characters(void **state)
{
    const struct option *o = option_find(SECTION_SOURCE, "table");
    struct buf why = BUF_INIT;
    struct config_source s;
    char name[3 * 65 + 1] = "";
    int i;

    (void)state;
    memset(&s, 0, sizeof(s));
    for (i = 0; i < 64; i++)
        strcat(name, "\xe2\x82\xac");
    assert_true(field_set(o, &s, name, false, &why));
    strcat(name, "x");
    assert_false(field_set(o, &s, name, false, &why));
    assert_true(field_set(o, &s, "\xf0\x9f\x98\x80", false, &why));
    assert_false(field_set(o, &s, "\xc0\xaf", false, &why));     /* overlong */
    assert_false(field_set(o, &s, "\xed\xa0\x80", false, &why)); /* surrogate */
    assert_false(field_set(o, &s, "\xe2\x82", false, &why));     /* cut short */
    assert_false(field_set(o, &s, "\xf4\x90\x80\x80", false, &why));
    fields_free(SECTION_SOURCE, &s);
    buf_fini(&why);
}

static void
every_option_is_described_by_six_columns(void **state)
{
    struct buf out = BUF_INIT;
    char *line, *rest;
    size_t n, lines = 0;

    (void)state;
    config_describe_options(&out);
    buf_append_char(&out, '\0');
    assert_false(buf_failed(&out));
    for (rest = out.data; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        size_t tabs = 0;
        const char *p;

        for (p = line; (p = strchr(p, '\t')) != NULL; p++)
            tabs++;
        assert_int_equal(tabs, 5);
        lines++;
    }
    option_table(&n);
    assert_int_equal(lines, n);
    buf_fini(&out);
}

static char *
read_example(void)
{
    FILE *file = fopen("etc/fetchd.conf", "r");
    char *text = calloc(1, 65536);
    size_t n;

    assert_non_null(text);
    if (file == NULL) {
        free(text);
        return NULL;
    }
    n = fread(text, 1, 65535, file);
    assert_in_range(n, 1000, 65534);
    fclose(file);
    return text;
}

/* "#name = value" becomes "name = value"; prose has a blank behind its '#'. */
static void
uncomment(char *text)
{
    char *p;

    for (p = text; (p = strchr(p, '#')) != NULL; p++) {
        if (p[1] >= 'a' && p[1] <= 'z')
            *p = ' ';
    }
}

/* As printed, without the first line, which names the file. */
static void
print_loaded(struct fixture *f, const char *text, struct buf *out)
{
    struct config *c = fixture_accepts(f, text);

    config_print(c, out);
    buf_append_char(out, '\0');
    config_free(&c);
}

static void
the_example_loads_and_shows_every_default(void **state)
{
    struct buf as_is = BUF_INIT, uncommented = BUF_INIT, bare = BUF_INIT;
    char *text = read_example();

    if (text == NULL)
        skip(); /* not run from the top of the tree */
    print_loaded(*state, text, &as_is);
    uncomment(text);
    assert_non_null(strstr(text, "\n workers = 0"));
    print_loaded(*state, text, &uncommented);
    print_loaded(*state,
                 FIXTURE_BASE
                 "source stock { url = \"http://127.0.0.1:8080/items/{id}\" }",
                 &bare);
    assert_string_equal(as_is.data, bare.data);
    assert_string_equal(uncommented.data, bare.data);
    buf_fini(&as_is);
    buf_fini(&uncommented);
    buf_fini(&bare);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_need_a_unit),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(numbers_beyond_64_bits_stay_too_large),
        cmocka_unit_test(values_are_shown_in_the_largest_whole_unit),
        cmocka_unit_test(every_default_is_within_its_own_range),
        cmocka_unit_test(a_refused_value_leaves_the_old_one),
        cmocka_unit_test(names_are_counted_in_characters),
        cmocka_unit_test(every_option_is_described_by_six_columns),
        cmocka_unit_test_setup_teardown(the_example_loads_and_shows_every_default,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
