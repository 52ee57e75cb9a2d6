/*
 * key.h - which bytes are an id.
 *
 * Owns: the strict reading of a client's key as a value of the key column's type.
 * Promise: what comes out is safe to place in a statement: digits and a sign only for
 * integers (one odd literal such as 1e3, or 2^63 on a signed column, makes MariaDB scan
 * the whole table even with the index forced: measured), valid UTF-8 for text.
 */
#ifndef SERVER_SOURCE_KEY_H
#define SERVER_SOURCE_KEY_H

#include "common/compiler.h"
#include "common/span.h"
#include "server/source/source.h"

#include <stdbool.h>
#include <stddef.h>

enum key_kind {
    KEY_INTEGER,
    KEY_TEXT,   /* compared in UTF-8, byte for byte */
    KEY_BINARY, /* any bytes */
};

struct key_type {
    enum key_kind kind;
    bool is_unsigned; /* KEY_INTEGER */
    unsigned bits;    /* KEY_INTEGER: 8, 16, 24, 32 or 64 */
};

/* "integer", "text" or "binary". */
const char *key_kind_name(enum key_kind kind);

/* Type of a column from information_schema's DATA_TYPE ("int") and COLUMN_TYPE
 * ("int(10) unsigned"); false: cannot be a key. */
bool key_type_parse(struct span data_type, struct span column_type, struct key_type *out)
    MUST_CHECK;

/* The canonical form of 'key' into 'id' (SOURCE_KEY_MAX bytes). */
enum source_key_verdict key_canonical(const struct key_type *type, struct span key,
                                      char *id, size_t *id_len);

/* The canonical form of the key that a row shows ("0007" of a ZEROFILL column is 7);
 * borrows from 'shown'. */
struct span key_from_row(const struct key_type *type, struct span shown);

#endif
