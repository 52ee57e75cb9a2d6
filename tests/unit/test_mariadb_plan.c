/*
 * test_mariadb_plan.c - from made-up columns to the way an item is written.
 */
#include "server/source/mariadb_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BINARY 63
#define UTF8MB4 45

/* Where Connector/C keeps what MariaDB tells of a column beyond its type. */
struct extension {
    MARIADB_CONST_STRING attributes[MARIADB_FIELD_ATTR_LAST + 1];
};

static struct extension json_format = {
    .attributes = { [MARIADB_FIELD_ATTR_FORMAT_NAME] = { "json", 4 } },
};
static struct extension uuid_type = {
    .attributes = { [MARIADB_FIELD_ATTR_DATA_TYPE_NAME] = { "uuid", 4 } },
};

static MYSQL_FIELD
field(const char *name, enum enum_field_types type, unsigned charset)
{
    MYSQL_FIELD f = { .name = (char *)(uintptr_t)name,
                      .name_length = (unsigned)strlen(name),
                      .type = type,
                      .charsetnr = charset };

    return f;
}

/* --- kinds -------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    enum enum_field_types type;
    unsigned charset;
    enum compose_kind kind;
} kinds[] = {
    { MYSQL_TYPE_TINY,        BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_SHORT,       BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_INT24,       BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_LONG,        BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_LONGLONG,    BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_DECIMAL,     BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_NEWDECIMAL,  BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_FLOAT,       BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_DOUBLE,      BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_YEAR,        BINARY,  COMPOSE_NUMBER },
    { MYSQL_TYPE_BIT,         BINARY,  COMPOSE_BITS },
    { MYSQL_TYPE_DATE,        BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_NEWDATE,     BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_TIME,        BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_TIME2,       BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_DATETIME,    BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_DATETIME2,   BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_TIMESTAMP,   BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_TIMESTAMP2,  BINARY,  COMPOSE_TEXT },
    { MYSQL_TYPE_VAR_STRING,  UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_VAR_STRING,  BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_VARCHAR,     UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_STRING,      UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_STRING,      BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_ENUM,        UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_SET,         UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_TINY_BLOB,   UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_TINY_BLOB,   BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_BLOB,        UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_BLOB,        BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_MEDIUM_BLOB, BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_LONG_BLOB,   UTF8MB4, COMPOSE_TEXT },
    { MYSQL_TYPE_LONG_BLOB,   BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_JSON,        UTF8MB4, COMPOSE_JSON },
    { MYSQL_TYPE_GEOMETRY,    BINARY,  COMPOSE_BINARY },
    { MYSQL_TYPE_NULL,        BINARY,  COMPOSE_BINARY },
};
/* clang-format on */

static void
plan_knows_the_kind_of_every_type(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(kinds); i++) {
        MYSQL_FIELD f = field("c", kinds[i].type, kinds[i].charset);

        assert_int_equal(mariadb_column_kind(&f), kinds[i].kind);
    }
}

static void
plan_knows_json_by_its_format(void **state)
{
    MYSQL_FIELD f = field("c", MYSQL_TYPE_BLOB, UTF8MB4);

    (void)state;
    f.extension = &json_format;
    assert_int_equal(mariadb_column_kind(&f), COMPOSE_JSON);
    f.charsetnr = BINARY;
    assert_int_equal(mariadb_column_kind(&f), COMPOSE_JSON);
    f = field("c", MYSQL_TYPE_STRING, UTF8MB4);
    f.extension = &uuid_type;
    assert_int_equal(mariadb_column_kind(&f), COMPOSE_TEXT);
}

/* --- plans -------------------------------------------------------------------------- */

static int
setup(void **state)
{
    *state = calloc(1, sizeof(struct mariadb_plan));
    return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    mariadb_plan_fini(*state);
    free(*state);
    return 0;
}

static void
assert_item(const struct mariadb_plan *plan, const struct span *values,
            const char *expected)
{
    struct buf out = BUF_INIT;

    assert_true(compose_item(plan->compose, values, 0, &out));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

static void
plan_is_made_once_for_the_same_columns(void **state)
{
    const struct span row[] = { SPAN("7"), SPAN("a \"b\""), { NULL, 0 } };
    struct mariadb_plan *plan = *state;
    const struct compose_plan *first;
    MYSQL_FIELD fields[] = { field("id", MYSQL_TYPE_LONG, BINARY),
                             field("title", MYSQL_TYPE_VAR_STRING, UTF8MB4),
                             field("data", MYSQL_TYPE_BLOB, BINARY) };

    assert_int_equal(mariadb_plan_update(plan, fields, 3, "ID", false), PLAN_NEW);
    first = plan->compose;
    assert_int_equal(plan->key, 0);
    assert_int_equal(plan->columns, 3);
    assert_item(plan, row, "{\"id\":7,\"title\":\"a \\\"b\\\"\",\"data\":null}");
    fields[1].length = 99; /* nothing that changes how it is written */
    fields[1].flags = NOT_NULL_FLAG;
    assert_int_equal(mariadb_plan_update(plan, fields, 3, "id", false), PLAN_SAME);
    assert_ptr_equal(plan->compose, first);
}

static void
plan_notices_every_change_of_a_column(void **state)
{
    struct mariadb_plan *plan = *state;
    MYSQL_FIELD id = field("id", MYSQL_TYPE_LONG, BINARY),
                other = field("title", MYSQL_TYPE_VAR_STRING, UTF8MB4);
    MYSQL_FIELD before[] = { id, other }, after[] = { id, other, other };
    size_t i;

    for (i = 0; i < 7; i++) {
        unsigned n = 2;

        mariadb_plan_fini(plan);
        assert_int_equal(mariadb_plan_update(plan, before, 2, "id", false), PLAN_NEW);
        after[0] = id;
        after[1] = other;
        if (i == 0)
            after[1] = field("titles", MYSQL_TYPE_VAR_STRING, UTF8MB4);
        else if (i == 1)
            after[1].type = MYSQL_TYPE_BLOB;
        else if (i == 2)
            after[1].charsetnr = BINARY;
        else if (i == 3)
            after[1].extension = &json_format;
        else if (i == 4)
            n = 3; /* one more */
        else if (i == 5)
            n = 1; /* one less */
        else {
            after[0] = other; /* another order */
            after[1] = id;
        }
        assert_int_equal(mariadb_plan_update(plan, after, n, "id", false), PLAN_NEW);
        assert_int_equal(plan->columns, n);
        assert_int_equal(plan->key, i == 6);
        assert_int_equal(mariadb_plan_update(plan, after, n, "id", false), PLAN_SAME);
    }
}

static void
plan_says_when_the_key_itself_changed(void **state)
{
    struct mariadb_plan *plan = *state;
    MYSQL_FIELD fields[] = { field("title", MYSQL_TYPE_VAR_STRING, UTF8MB4),
                             field("id", MYSQL_TYPE_LONG, BINARY) };

    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_NEW);
    assert_int_equal(plan->key, 1);
    fields[1].flags = UNSIGNED_FLAG;
    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_NEW_KEY);
    fields[1].type = MYSQL_TYPE_LONGLONG;
    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_NEW_KEY);
    fields[1] = field("id", MYSQL_TYPE_VAR_STRING, UTF8MB4);
    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_NEW_KEY);
    fields[0].flags = UNSIGNED_FLAG; /* of another column */
    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_NEW);
}

static void
plan_is_useless_without_its_key(void **state)
{
    struct mariadb_plan *plan = *state;
    MYSQL_FIELD fields[] = { field("title", MYSQL_TYPE_VAR_STRING, UTF8MB4),
                             field("ident", MYSQL_TYPE_LONG, BINARY) };
    MYSQL_FIELD *many = calloc(PLAN_COLUMNS_MAX + 1, sizeof(*many));
    unsigned i;

    assert_non_null(many);
    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_USELESS);
    assert_int_equal(mariadb_plan_update(plan, fields, 0, "id", false), PLAN_USELESS);
    assert_int_equal(mariadb_plan_update(plan, fields, 0, "id", true), PLAN_USELESS);
    assert_null(plan->compose);
    for (i = 0; i < PLAN_COLUMNS_MAX + 1; i++)
        many[i] = field("id", MYSQL_TYPE_LONG, BINARY);
    assert_int_equal(mariadb_plan_update(plan, many, PLAN_COLUMNS_MAX + 1, "id", false),
                     PLAN_USELESS);
    assert_int_equal(mariadb_plan_update(plan, many, PLAN_COLUMNS_MAX, "id", false),
                     PLAN_NEW);
    assert_int_equal(mariadb_plan_update(plan, fields, 2, "id", false), PLAN_USELESS);
    free(many);
}

static void
plan_with_the_key_apart_matches_by_it_and_does_not_show_it(void **state)
{
    const struct span row[] = { SPAN("7"), SPAN("x"), SPAN("8") };
    struct mariadb_plan *plan = *state;
    MYSQL_FIELD fields[] = { field("code", MYSQL_TYPE_LONG, BINARY),
                             field("title", MYSQL_TYPE_VAR_STRING, UTF8MB4),
                             field("other", MYSQL_TYPE_LONG, BINARY) };

    assert_int_equal(mariadb_plan_update(plan, fields, 3, "code", true), PLAN_NEW);
    assert_int_equal(plan->key, 0);
    assert_item(plan, row, "{\"title\":\"x\",\"other\":8}");
    fields[0].type = MYSQL_TYPE_LONGLONG;
    assert_int_equal(mariadb_plan_update(plan, fields, 3, "code", true), PLAN_NEW_KEY);
}

int
main(void)
{
#define PLAN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_knows_the_kind_of_every_type),
        cmocka_unit_test(plan_knows_json_by_its_format),
        PLAN_TEST(plan_is_made_once_for_the_same_columns),
        PLAN_TEST(plan_notices_every_change_of_a_column),
        PLAN_TEST(plan_says_when_the_key_itself_changed),
        PLAN_TEST(plan_is_useless_without_its_key),
        PLAN_TEST(plan_with_the_key_apart_matches_by_it_and_does_not_show_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
