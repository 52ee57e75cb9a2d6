/*
 * test_project.c - parts of an item, byte for byte as they stand in it.
 */
#include "server/item/project.h"

#include "server/item/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char item[] =
    "{\"id\":18446744073709551615,\"name\":\"a\\\"b\\\\\",\"empty\":\"\",\"price\":1.50,"
    "\"none\":null,\"yes\":true,\"attrs\":{\"color\":\"red\",\"in\":{\"x\":[1,{\"y\":2}],"
    "\"n\":null},\"k.l\":7,\"\":0},\"list\":[1,\"},]\",{\"z\":[]}],\"a.b\":11,"
    "\"a\":{\"b\":12,\"c\":{\"d\":13}},\"{\":\"}\",\"last\":-1e400}";

/* Looks 'path' up in a block that ends where the object ends. */
static void
check_find(const char *object, const char *path, const char *expected)
{
    struct span exact = { malloc(strlen(object) + 1), strlen(object) }, value;
    bool found;

    assert_non_null(exact.p);
    memcpy((char *)exact.p, object, exact.n);
    found = json_find(json_plain(exact), span_str(path), &value);
    if (expected == NULL) {
        assert_false(found);
    } else {
        assert_true(found);
        assert_true(value.p >= exact.p && value.p + value.n <= exact.p + exact.n);
        assert_int_equal(value.n, strlen(expected));
        assert_memory_equal(value.p, expected, value.n);
    }
    free((char *)exact.p);
}

/* clang-format off */
static const struct {
    const char *path, *value;
} members[] = {
    { "id",           "18446744073709551615" },
    { "name",         "\"a\\\"b\\\\\"" },
    { "empty",        "\"\"" },
    { "price",        "1.50" },
    { "none",         "null" },
    { "yes",          "true" },
    { "list",         "[1,\"},]\",{\"z\":[]}]" },
    { "{",            "\"}\"" },
    { "last",         "-1e400" },
    { "attrs.color",  "\"red\"" },
    { "attrs.in",     "{\"x\":[1,{\"y\":2}],\"n\":null}" },
    { "attrs.in.x",   "[1,{\"y\":2}]" },
    { "attrs.in.n",   "null" },
    { "attrs.k.l",    "7" },
    { "attrs.",       "0" },
    { "a.b",          "11" }, /* a member of that very name comes first */
    { "a.c.d",        "13" },
    { "",             NULL },
    { ".",            NULL },
    { "i",            NULL },
    { "idx",          NULL },
    { "ID",           NULL },
    { "color",        NULL }, /* only members of the item itself */
    { "x",            NULL },
    { "z",            NULL },
    { "id.x",         NULL },
    { "name.x",       NULL },
    { "none.x",       NULL },
    { "list.z",       NULL },
    { "list.0",       NULL },
    { "attrs.in.x.y", NULL },
    { "attrs.in.n.q", NULL },
    { "attrs..in",    NULL },
    { ".attrs",       NULL },
    { "id.",          NULL },
    { "nope.color",   NULL },
};
/* clang-format on */

static void
json_find_reaches_members_and_what_is_inside_them(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(members); i++)
        check_find(item, members[i].path, members[i].value);
}

static void
json_find_finds_nothing_in_what_is_no_object(void **state)
{
    static const char *const values[] = { "{}",   "[]",     "[1,2]", "null", "7",
                                          "\"\"", "\"id\"", "",      "true" };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(values); i++) {
        check_find(values[i], "id", NULL);
        check_find(values[i], "id.x", NULL);
        check_find(values[i], "", NULL);
    }
    check_find("{\"\":1}", "", "1");
    check_find("{\"a\":1}", "a", "1");
}

static void
json_walk_visits_every_member_once_in_order(void **state)
{
    static const char *const names[] = {
        "id",    "name", "empty", "price", "none", "yes",
        "attrs", "list", "a.b",   "a",     "{",    "last"
    };
    struct json_walk walk = json_walk_begin(json_plain(span_str(item)));
    struct span name, value;
    size_t n = 0;

    (void)state;
    for (; json_walk_next(&walk, &name, &value); n++) {
        assert_true(n < ARRAY_LEN(names));
        assert_true(span_equal(name, span_str(names[n])));
        assert_true(value.n > 0);
    }
    assert_int_equal(n, ARRAY_LEN(names));
    assert_false(json_walk_next(&walk, &name, &value));
    walk = json_walk_begin(json_plain(span_of(NULL, 0)));
    assert_false(json_walk_next(&walk, &name, &value));
}

static void
check_project(const char *object, const char *const *names, size_t n,
              const char *expected)
{
    struct buf out = BUF_INIT;
    struct span fields[8];
    size_t i;

    assert_true(n <= ARRAY_LEN(fields));
    for (i = 0; i < n; i++)
        fields[i] = span_str(names[i]);
    BUF_APPEND_LIT(&out, "> ");
    json_project(&out, json_plain(span_str(object)), fields, n);
    assert_false(buf_failed(&out));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

#define CHECK_PROJECT(object, expected, ...)                           \
    do {                                                               \
        const char *const names[] = { __VA_ARGS__ };                   \
        check_project(object, names, ARRAY_LEN(names), "> " expected); \
    } while (0)

static void
json_project_shows_the_fields_asked_in_their_order(void **state)
{
    (void)state;
    CHECK_PROJECT(item, "{\"last\":-1e400,\"id\":18446744073709551615}", "last", "id");
    CHECK_PROJECT(item, "{\"none\":null}", "none");
    CHECK_PROJECT(item, "{\"attrs.color\":\"red\",\"attrs.in.x\":[1,{\"y\":2}]}",
                  "attrs.color", "attrs.in.x");
    CHECK_PROJECT(item, "{\"nope\":null,\"id.x\":null}", "nope", "id.x");
    CHECK_PROJECT("{}", "{\"id\":null}", "id");
    check_project(item, NULL, 0, "> {}");
}

static void
json_project_escapes_the_names_of_fields(void **state)
{
    (void)state;
    CHECK_PROJECT("{}", "{\"a\\\"b\":null,\"c\\\\\":null}", "a\"b", "c\\");
    CHECK_PROJECT("{}", "{\"\xef\xbf\xbd\":null}", "\xff");
}

/* Whatever is asked, the outcome is one strict JSON object. */
static void
json_project_always_makes_strict_json(void **state)
{
    struct buf out = BUF_INIT, checked = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(members); i++) {
        struct span field = span_str(members[i].path);

        buf_clear(&out);
        buf_clear(&checked);
        json_project(&out, json_plain(span_str(item)), &field, 1);
        assert_true(json_append_compact(&checked, buf_span(&out)));
        assert_true(span_equal(buf_span(&out), buf_span(&checked)));
    }
    buf_fini(&out);
    buf_fini(&checked);
}

/* Wherever the walk stands, what is found is what is found from the beginning. */
static void
json_find_next_finds_the_same_in_any_order(void **state)
{
    static const char *const paths[] = {
        "id",  "name", "empty", "price", "none", "nosuch", "attrs.color", "attrs.in.n",
        "a.b", "a",    "a.c.d", "list",  "{",    "last",   "yes",         "",
    };
    const struct json_object object = json_plain(span_str(item));
    size_t step, i, at;

    (void)state;
    for (step = 1; step < ARRAY_LEN(paths); step += 2) { /* odd: all are met */
        struct json_walk walk = json_walk_begin(object);

        for (i = at = 0; i < 2 * ARRAY_LEN(paths); i++) {
            struct span path = span_str(paths[at]), one = SPAN("-"), other = SPAN("-");

            assert_int_equal(json_find_next(&walk, object, path, &one),
                             json_find(object, path, &other));
            if (json_find(object, path, &other))
                assert_ptr_equal(one.p, other.p);
            at = (at + step) % ARRAY_LEN(paths);
        }
    }
}

static void
elements_come_one_by_one(void **state)
{
    static const char *const expected[] = { "1",    "\"],\"", "[2,[3]]", "{\"a\":[4,5]}",
                                            "null", "-1.5e9" };
    struct span array = SPAN("[1,\"],\",[2,[3]],{\"a\":[4,5]},null,-1.5e9]"), value;
    struct json_walk walk = json_elements_begin(array);
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(json_elements_next(&walk, &value));
        assert_true(span_equal(value, span_str(expected[i])));
    }
    assert_false(json_elements_next(&walk, &value));
    walk = json_elements_begin(SPAN("[]"));
    assert_false(json_elements_next(&walk, &value));
    walk = json_elements_begin(SPAN("{\"a\":1}"));
    assert_false(json_elements_next(&walk, &value));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_one_by_one),
        cmocka_unit_test(json_find_reaches_members_and_what_is_inside_them),
        cmocka_unit_test(json_find_finds_nothing_in_what_is_no_object),
        cmocka_unit_test(json_walk_visits_every_member_once_in_order),
        cmocka_unit_test(json_project_shows_the_fields_asked_in_their_order),
        cmocka_unit_test(json_project_escapes_the_names_of_fields),
        cmocka_unit_test(json_project_always_makes_strict_json),
        cmocka_unit_test(json_find_next_finds_the_same_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
