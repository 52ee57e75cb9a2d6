/*
 * key.c - which bytes are an id.
 *
 * Integers: an optional '-' and decimal digits, nothing else: no '+', blank, exponent,
 * point or hex.  Leading zeros are allowed and dropped ("007" is 7, "-0" is 0).
 */
#include "server/source/key.h"

#include "common/scan.h"
#include "server/item/json.h"

#include <stdint.h>
#include <strings.h>

/* Digits of 2^64 - 1. */
#define DIGITS_MAX 20

static const struct {
    const char *data_type;
    enum key_kind kind;
    unsigned bits;
} key_columns[] = {
    { "tinyint", KEY_INTEGER, 8 },    { "smallint", KEY_INTEGER, 16 },
    { "mediumint", KEY_INTEGER, 24 }, { "int", KEY_INTEGER, 32 },
    { "bigint", KEY_INTEGER, 64 },    { "char", KEY_TEXT, 0 },
    { "varchar", KEY_TEXT, 0 },       { "tinytext", KEY_TEXT, 0 },
    { "text", KEY_TEXT, 0 },          { "mediumtext", KEY_TEXT, 0 },
    { "longtext", KEY_TEXT, 0 },      { "enum", KEY_TEXT, 0 },
    { "uuid", KEY_TEXT, 0 },          { "inet4", KEY_TEXT, 0 },
    { "inet6", KEY_TEXT, 0 },         { "binary", KEY_BINARY, 0 },
    { "varbinary", KEY_BINARY, 0 },   { "tinyblob", KEY_BINARY, 0 },
    { "blob", KEY_BINARY, 0 },        { "mediumblob", KEY_BINARY, 0 },
    { "longblob", KEY_BINARY, 0 },
};

static const char *const kind_names[] = {
    [KEY_INTEGER] = "integer",
    [KEY_TEXT] = "text",
    [KEY_BINARY] = "binary",
};

const char *
key_kind_name(enum key_kind kind)
{
    return kind_names[kind];
}

bool
key_type_parse(struct span data_type, struct span column_type, struct key_type *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(key_columns); i++) {
        if (strlen(key_columns[i].data_type) != data_type.n ||
            strncasecmp(key_columns[i].data_type, data_type.p, data_type.n) != 0)
            continue;
        out->kind = key_columns[i].kind;
        out->bits = key_columns[i].bits;
        out->is_unsigned =
            out->kind == KEY_INTEGER &&
            memmem(column_type.p, column_type.n, "unsigned", strlen("unsigned")) != NULL;
        return true;
    }
    return false;
}

/* Is the magnitude inside the column's range? */
static bool
integer_fits(const struct key_type *type, bool negative, uint64_t magnitude)
{
    uint64_t top = (uint64_t)1 << (type->bits - 1);

    if (type->is_unsigned)
        return !negative && (type->bits == 64 || magnitude < top * 2);
    return negative ? magnitude <= top : magnitude < top;
}

static enum source_key_verdict
integer_canonical(const struct key_type *type, struct span key, char *id, size_t *id_len)
{
    bool negative = key.n > 0 && key.p[0] == '-';
    size_t i = negative ? 1 : 0, digits;
    uint64_t magnitude = 0;

    if (!scan_all_digits(key.p + i, key.n - i))
        return SOURCE_KEY_BAD;
    while (i < key.n - 1 && key.p[i] == '0')
        i++;
    digits = key.n - i;
    if (digits > DIGITS_MAX)
        return SOURCE_KEY_ABSENT;
    for (size_t at = i; at < key.n; at++) {
        uint64_t digit = (uint64_t)(key.p[at] - '0');

        if (magnitude > (UINT64_MAX - digit) / 10)
            return SOURCE_KEY_ABSENT;
        magnitude = magnitude * 10 + digit;
    }
    negative = negative && magnitude != 0;
    if (!integer_fits(type, negative, magnitude))
        return SOURCE_KEY_ABSENT;
    if (negative)
        *id++ = '-';
    memcpy(id, key.p + i, digits);
    *id_len = digits + (negative ? 1 : 0);
    return SOURCE_KEY_OK;
}

/* Is it a number without sign or leading zero, of so few digits that the column holds
 * each of them?  The way of nearly all keys, without working the number out. */
static bool
integer_is_plain(const struct key_type *type, struct span key)
{
    /* log10(2) is a little more than 3/10, and fits for each of the widths. */
    return key.n <= (type->bits - 1) * 3 / 10 && scan_all_digits(key.p, key.n) &&
           (key.p[0] != '0' || key.n == 1);
}

enum source_key_verdict
key_canonical(const struct key_type *type, struct span key, char *id, size_t *id_len)
{
    if (key.n == 0 || key.n > SOURCE_KEY_MAX)
        return SOURCE_KEY_BAD;
    if (type->kind == KEY_INTEGER && !integer_is_plain(type, key))
        return integer_canonical(type, key, id, id_len);
    if (type->kind == KEY_TEXT && !utf8_valid(key))
        return SOURCE_KEY_BAD;
    scan_copy(id, key.p, key.n);
    *id_len = key.n;
    return SOURCE_KEY_OK;
}

struct span
key_from_row(const struct key_type *type, struct span shown)
{
    if (type->kind != KEY_INTEGER)
        return shown;
    while (shown.n > 1 && shown.p[0] == '0') {
        shown.p++;
        shown.n--;
    }
    return shown;
}
