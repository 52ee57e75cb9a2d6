/*
 * compose.h - a row becomes an item's bytes.
 *
 * Owns: how each kind of column is written into the item's JSON object.
 * Promise: one compact JSON object per row, columns in the order of the plan,
 * exact (see json.h).  Never knows: which library the row came from.
 */
#ifndef SERVER_ITEM_COMPOSE_H
#define SERVER_ITEM_COMPOSE_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

enum compose_kind {
    COMPOSE_NUMBER, /* the digits, as they are */
    COMPOSE_TEXT,   /* a JSON string */
    COMPOSE_BINARY, /* a base64 JSON string */
    COMPOSE_BITS,   /* big-endian bytes, an unsigned number */
    COMPOSE_JSON,   /* validated and compacted; a string when it is not valid */
    COMPOSE_SKIP,   /* read (the key, for matching) but not shown */
};

/* How to write one kind of row; immutable once made, shared by many rows. */
struct compose_plan;

/* A plan for 'n' columns; names are copied and escaped once, here.
 * NULL: no memory. */
struct compose_plan *compose_plan_new(const struct span *names,
                                      const enum compose_kind *kinds, size_t n)
    MUST_CHECK;
void compose_plan_free(struct compose_plan **plan);

/* Appends one item.  values[i].p == NULL is SQL NULL.  At most 'max_bytes' (0: no
 * bound): a longer item appends nothing and returns false, and so does one that 'out'
 * has no room for (buf_failed tells which). */
bool compose_item(const struct compose_plan *plan, const struct span *values,
                  size_t max_bytes, struct buf *out) MUST_CHECK;

#endif
