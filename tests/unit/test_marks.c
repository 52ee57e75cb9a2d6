/*
 * test_marks.c - with marks the same is found as by a walk, byte for byte.
 *
 * Over random items: composed ones, with names and texts that need escapes, names that
 * stand there twice, nested JSON, nulls, none to many columns, some longer than 64 KiB.
 * Item and marks lie in a block of their own, so that a sanitizer sees every byte too far.
 */
#include "server/item/marks.h"

#include "server/item/compose.h"
#include "server/item/project.h"
#include "tests/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 3000
#define COLUMNS_MOST 40
#define MARKS_MOST 1000

static uint64_t seed = 88172645463325252u;

static size_t
any(size_t n)
{
    return (size_t)(random_next(&seed) >> 20) % n;
}

/* Few enough that some stand there twice, and some are parts of others. */
static struct span
any_name(void)
{
    static const char *const names[] = {
        "id",   "name",  "a",     "a.b",    "a.b.c",  "b",       "",      ".",
        "a\"b", "a\\b",  "a\\",   "\"",     "x\":1",  "line\n",  "id2",   "i",
        "{",    "a\\\"", "naïve", "\xff\t", "nul\\u", "a\":{\"", "attrs", "attrs.color",
    };

    return span_str(names[any(ARRAY_LEN(names))]);
}

/* What is asked for: also what no item has, and names as they are written when escaped. */
static struct span
any_field(void)
{
    static const char *const fields[] = {
        "nosuch",       "a\\\"b",      "a\\\\b", "a\\\\",    "line\\n",
        "x\\\":1",      "attrs.color", "a.b.c",  "a.c",      "attrs.in.x",
        "attrs.nosuch", "b.x",         "id.x",   "a\":{\"b",
    };

    return any(2) == 0 ? any_name() : span_str(fields[any(ARRAY_LEN(fields))]);
}

static struct span
any_value(char *room)
{
    static const char *const values[] = {
        "7",
        "-12.50",
        "",
        "text",
        "\"quoted\" \\ and , : } ]",
        "{\"color\":\"r,\\\"e}d\",\"in\":{\"x\":[1,{\"y\":2}]},\"b\":{\"c\":1}}",
        "[1,\"},]\",{\"z\":[]}]",
        "{}",
        "{\"a\": {\"b\" : null}, \"id\":1}",
        "ctrl \x01 \n tab\t",
    };
    size_t n;

    switch (any(8)) {
    case 0:
        return span_of(NULL, 0);
    case 1:
        n = any(any(50) == 0 ? 100000 : 300);
        memset(room, "a,\"\\}"[any(5)], n);
        return span_of(room, n);
    default:
        return span_str(values[any(ARRAY_LEN(values))]);
    }
}

static void
compose_any(struct buf *out)
{
    static char rooms[COLUMNS_MOST][100000];
    enum compose_kind kinds[COLUMNS_MOST];
    struct span names[COLUMNS_MOST], values[COLUMNS_MOST];
    size_t n = any(any(4) == 0 ? COLUMNS_MOST : 8), i;
    struct compose_plan *plan;

    for (i = 0; i < n; i++) {
        names[i] = any_name();
        values[i] = any_value(rooms[i]);
        kinds[i] = (enum compose_kind)any(COMPOSE_SKIP + 1);
        if (kinds[i] == COMPOSE_BITS)
            kinds[i] = COMPOSE_JSON;
    }
    plan = compose_plan_new(names, kinds, n);
    assert_non_null(plan);
    buf_clear(out);
    assert_true(compose_item(plan, values, 0, out));
    compose_plan_free(&plan);
}

/* An item and its marks, in a block that ends where they do. */
struct kept {
    struct json_object with;
    struct json_object without;
    char *block;
};

static void
keep(struct kept *k, struct span item, struct span marks)
{
    k->block = malloc(item.n + marks.n + 1);
    assert_non_null(k->block);
    k->block++; /* not aligned */
    memcpy(k->block, item.p, item.n);
    if (marks.n > 0)
        memcpy(k->block + item.n, marks.p, marks.n);
    k->with.json = span_of(k->block, item.n);
    k->with.marks = span_of(k->block + item.n, marks.n);
    k->without = json_plain(k->with.json);
}

static void
drop(struct kept *k)
{
    free(k->block - 1);
}

static void
assert_same_walk(const struct kept *k)
{
    struct json_walk with = json_walk_begin(k->with);
    struct json_walk without = json_walk_begin(k->without);
    struct span name, value, name_without, value_without;

    while (json_walk_next(&without, &name_without, &value_without)) {
        assert_true(json_walk_next(&with, &name, &value));
        assert_true(name.p == name_without.p && name.n == name_without.n);
        assert_true(value.p == value_without.p && value.n == value_without.n);
    }
    assert_false(json_walk_next(&with, &name, &value));
}

static void
assert_same_finds(const struct kept *k)
{
    struct json_walk with = json_walk_begin(k->with);
    struct json_walk without = json_walk_begin(k->without);
    struct span one = { NULL, 0 }, other = { NULL, 0 };
    size_t i;

    for (i = 0; i < 20; i++) {
        struct span field = any_field();
        bool found = json_find(k->without, field, &other);

        assert_int_equal(json_find(k->with, field, &one), found);
        assert_true(!found || (one.p == other.p && one.n == other.n));
        found = json_find_next(&without, k->without, field, &other);
        assert_int_equal(json_find_next(&with, k->with, field, &one), found);
        assert_true(!found || (one.p == other.p && one.n == other.n));
        assert_ptr_equal(with.p, without.p);
    }
}

static void
assert_same_projection(const struct kept *k)
{
    struct buf one = BUF_INIT, other = BUF_INIT;
    struct span fields[6];
    size_t i, n = any(ARRAY_LEN(fields) + 1);

    for (i = 0; i < n; i++)
        fields[i] = any_field();
    json_project(&one, k->with, fields, n);
    json_project(&other, k->without, fields, n);
    assert_true(span_equal(buf_span(&one), buf_span(&other)));
    buf_fini(&one);
    buf_fini(&other);
}

static void
marks_find_what_a_walk_finds(void **state)
{
    size_t i, n, members = 0, empty = 0, large = 0;
    struct buf item = BUF_INIT;
    char marks[MARKS_MOST];
    struct kept k;

    (void)state;
    for (i = 0; i < ROUNDS; i++) {
        compose_any(&item);
        n = marks_make(buf_span(&item), marks, sizeof(marks));
        empty += n == 0;
        large += buf_size(&item) > 65536;
        members += n;
        assert_true((n == 0) == (buf_size(&item) == 2));
        /* Fewer than there are: the rest is walked. */
        n -= any(4) == 0 ? any(n + 1) : 0;
        keep(&k, buf_span(&item), span_of(marks, n));
        assert_same_walk(&k);
        assert_same_finds(&k);
        assert_same_projection(&k);
        drop(&k);
    }
    buf_fini(&item);
    assert_true(members > 10 * ROUNDS / 2 && empty > 10 && large > 10);
}

static void
use_all(const struct kept *k)
{
    struct json_walk walk = json_walk_begin(k->with);
    const char *begin = k->with.json.p, *end = begin + k->with.json.n;
    struct buf out = BUF_INIT;
    struct span name, value, fields[4];
    size_t i;

    while (json_walk_next(&walk, &name, &value)) {
        assert_true(name.p >= begin && name.p + name.n <= end && name.n < 200000);
        assert_true(value.p >= begin && value.p + value.n <= end && value.n < 200000);
    }
    walk = json_walk_begin(k->with);
    for (i = 0; i < 20; i++) {
        if (json_find_next(&walk, k->with, any_field(), &value))
            assert_true(value.p >= begin && value.p + value.n <= end);
        fields[i % ARRAY_LEN(fields)] = any_field();
    }
    json_project(&out, k->with, fields, ARRAY_LEN(fields));
    assert_true(buf_size(&out) < 10 * k->with.json.n + 500);
    buf_fini(&out);
}

/* A sum keeps them out; but even if they came in, they lead nowhere else. */
static void
marks_that_lie_lead_nowhere_outside(void **state)
{
    struct buf item = BUF_INIT;
    char marks[MARKS_MOST], *bytes;
    struct kept k;
    size_t i, j, n;

    (void)state;
    for (i = 0; i < ROUNDS; i++) {
        compose_any(&item);
        n = marks_make(buf_span(&item), marks, sizeof(marks));
        for (j = any(4); j > 0 && n > 0; j--)
            marks[any(n)] = (char)(any(2) == 0 ? any(256) : any(12));
        keep(&k, buf_span(&item), span_of(marks, n));
        bytes = k.block + any(buf_size(&item) - 1) + 1;
        if (any(2) == 0)
            *bytes = "\",:}x"[any(5)]; /* the brace at its begin stays */
        use_all(&k);
        drop(&k);
    }
    buf_fini(&item);
}

/* Lengths at which no member ends are not believed. */
static void
marks_of_something_else_are_not_used(void **state)
{
    static const char *const others[] = { "\x04\x07",        "\x07\x07", "\x0f",
                                          "\x06\x06",        "\x06\x08", "\x03\x09",
                                          "\x86\x80\x80\x80" };
    struct kept k;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(others); i++) {
        keep(&k, SPAN("{\"id\":7,\"t\":[8]}"), span_str(others[i]));
        assert_same_walk(&k);
        assert_same_finds(&k);
        drop(&k);
    }
    keep(&k, SPAN("{\",\":7,\"t\":[8]}"), SPAN("\x01\x07"));
    assert_same_walk(&k);
    drop(&k);
}

static void
check_marks(const char *object, const char *expected, size_t n)
{
    char marks[16];

    assert_int_equal(marks_make(span_str(object), marks, sizeof(marks)), n);
    assert_memory_equal(marks, expected, n);
}

static void
marks_are_the_lengths_of_members(void **state)
{
    (void)state;
    check_marks("{\"id\":7}", "\x06", 1);
    check_marks("{\"id\":7,\"t\":\"a,b\",\"\":{}}", "\x06\x09\x05", 3);
    check_marks("{}", "", 0);
    check_marks("", "", 0);
    check_marks("[1,2]", "", 0);
    check_marks("null", "", 0);
}

static void
marks_of_long_members_take_more_bytes(void **state)
{
    static const size_t lengths[] = { 127, 128, 16383, 16384, 65535, 65536, 1 << 20 };
    char *object = malloc(((size_t)1 << 20) + 2), marks[8];
    struct span left;
    size_t i, n;

    (void)state;
    assert_non_null(object);
    for (i = 0; i < ARRAY_LEN(lengths); i++) {
        memset(object, 'x', lengths[i] + 2);
        memcpy(object, "{\"a\":\"", 6);
        memcpy(object + lengths[i], "\"}", 2);
        n = marks_make(span_of(object, lengths[i] + 2), marks, sizeof(marks));
        assert_int_equal(n, lengths[i] < 128 ? 1 : lengths[i] < 16384 ? 2 : 3);
        left = span_of(marks, n);
        assert_int_equal(marks_next(&left), lengths[i]);
        assert_int_equal(left.n, 0);
        assert_int_equal(marks_next(&left), 0);
    }
    free(object);
}

static void
marks_for_which_there_is_no_room_are_none(void **state)
{
    char object[200] = "{", marks[64];
    size_t i;

    (void)state;
    for (i = 0; i < 20; i++)
        strcat(object, i == 0 ? "\"a\":1" : ",\"a\":1");
    strcat(object, "}");
    assert_int_equal(marks_make(span_str(object), marks, sizeof(marks)), 20);
    assert_int_equal(marks_make(span_str(object), marks, 10), 0);
    assert_int_equal(marks_make(span_str(object), marks, 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_the_lengths_of_members),
        cmocka_unit_test(marks_of_long_members_take_more_bytes),
        cmocka_unit_test(marks_for_which_there_is_no_room_are_none),
        cmocka_unit_test(marks_of_something_else_are_not_used),
        cmocka_unit_test(marks_find_what_a_walk_finds),
        cmocka_unit_test(marks_that_lie_lead_nowhere_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
