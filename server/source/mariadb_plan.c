/*
 * mariadb_plan.c - from the columns of a result to the way an item is written.
 */
#include "server/source/mariadb_plan.h"

#include <stdlib.h>
#include <strings.h>

/* The character set number of bytes that are no text. */
#define CHARSET_BINARY 63

/* A fixed key: a signature protects against nothing, it only tells apart. */
static const struct hash_key signature_key = { 0x66657463, 0x68640000 };

static struct span
field_attribute(const MYSQL_FIELD *field, enum mariadb_field_attr_t which)
{
    MARIADB_CONST_STRING s = { NULL, 0 };

    if (mariadb_field_attr(&s, field, which) != 0)
        return span_of(NULL, 0);
    return span_of(s.str, s.length);
}

enum compose_kind
mariadb_column_kind(const MYSQL_FIELD *field)
{
    switch (field->type) {
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_YEAR:
        return COMPOSE_NUMBER;
    case MYSQL_TYPE_BIT:
        return COMPOSE_BITS;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
        return COMPOSE_TEXT; /* their charset says binary, but they are text */
    case MYSQL_TYPE_JSON:
        return COMPOSE_JSON;
    case MYSQL_TYPE_GEOMETRY:
        return COMPOSE_BINARY;
    default:
        break;
    }
    if (span_equal(field_attribute(field, MARIADB_FIELD_ATTR_FORMAT_NAME), SPAN("json")))
        return COMPOSE_JSON;
    return field->charsetnr == CHARSET_BINARY ? COMPOSE_BINARY : COMPOSE_TEXT;
}

bool
mariadb_key_matches(const MYSQL_FIELD *field, const struct key_type *type)
{
    bool is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;

    switch (mariadb_column_kind(field)) {
    case COMPOSE_NUMBER:
        return type->kind == KEY_INTEGER && type->is_unsigned == is_unsigned;
    case COMPOSE_BINARY:
        return type->kind == KEY_BINARY;
    case COMPOSE_TEXT:
    case COMPOSE_JSON:
        return type->kind == KEY_TEXT;
    case COMPOSE_BITS:
    case COMPOSE_SKIP:
        break;
    }
    return false;
}

/* What must be the same for a column to be written and matched as before. */
static uint64_t
field_signature(const MYSQL_FIELD *field)
{
    struct {
        uint64_t name, format;
        uint32_t type, charset, flags;
        uint32_t zero;
    } parts = {
        hash_bytes(&signature_key, span_of(field->name, field->name_length)),
        hash_bytes(&signature_key,
                   field_attribute(field, MARIADB_FIELD_ATTR_FORMAT_NAME)),
        field->type,
        field->charsetnr,
        field->flags & UNSIGNED_FLAG,
        0,
    };

    return hash_bytes(&signature_key, span_of((const char *)&parts, sizeof(parts)));
}

static uint64_t
fields_signature(const MYSQL_FIELD *fields, unsigned n)
{
    uint64_t sum = n;
    unsigned i;

    for (i = 0; i < n; i++)
        sum = (sum ^ field_signature(&fields[i])) * 0x9e3779b97f4a7c15u;
    return sum;
}

static long
fields_find(const MYSQL_FIELD *fields, unsigned n, const char *name)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (strcasecmp(fields[i].name, name) == 0)
            return (long)i;
    }
    return -1;
}

static struct compose_plan *
fields_compose(const MYSQL_FIELD *fields, unsigned n, bool key_apart)
{
    struct span *names = calloc(n, sizeof(*names));
    enum compose_kind *kinds = calloc(n, sizeof(*kinds));
    struct compose_plan *plan = NULL;
    unsigned i;

    if (names != NULL && kinds != NULL) {
        for (i = 0; i < n; i++) {
            names[i] = span_of(fields[i].name, fields[i].name_length);
            kinds[i] =
                key_apart && i == 0 ? COMPOSE_SKIP : mariadb_column_kind(&fields[i]);
        }
        plan = compose_plan_new(names, kinds, n);
    }
    free(names);
    free(kinds);
    return plan;
}

enum plan_change
mariadb_plan_update(struct mariadb_plan *plan, const MYSQL_FIELD *fields, unsigned n,
                    const char *key_name, bool key_apart)
{
    uint64_t signature = fields_signature(fields, n), key_signature;
    struct compose_plan *compose;
    enum plan_change change;
    long key = key_apart ? 0 : fields_find(fields, n, key_name);

    if (plan->compose != NULL && plan->signature == signature)
        return PLAN_SAME;
    if (key < 0 || n == 0 || n > PLAN_COLUMNS_MAX)
        return PLAN_USELESS;
    if ((compose = fields_compose(fields, n, key_apart)) == NULL)
        return PLAN_USELESS;
    key_signature = field_signature(&fields[key]);
    change = plan->compose != NULL && plan->key_signature != key_signature ? PLAN_NEW_KEY
                                                                           : PLAN_NEW;
    mariadb_plan_fini(plan);
    plan->compose = compose;
    plan->columns = n;
    plan->key = (unsigned)key;
    plan->signature = signature;
    plan->key_signature = key_signature;
    return change;
}

void
mariadb_plan_fini(struct mariadb_plan *plan)
{
    compose_plan_free(&plan->compose);
}
