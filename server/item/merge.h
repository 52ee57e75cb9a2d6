/*
 * merge.h - several items become one.
 *
 * Owns: where the parts of an item stand: the members of one part at the top, every other
 * part under a name of its own.
 * Promise: the bytes of every part travel as they are, digit for digit, and no name
 * stands twice: a member at the top that bears a part's name is left out, whether that
 * part is there or not, so that a name always means the same thing.
 */
#ifndef SERVER_ITEM_MERGE_H
#define SERVER_ITEM_MERGE_H

#include "common/buf.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

struct merge_part {
    struct span name; /* plain: nothing in it needs escaping */
    struct span json; /* empty: not there */
};

/* How many bytes merge_append will append at most. */
size_t merge_size(struct span top, const struct merge_part *parts, size_t n);

/* Appends {members of top..., "name": json, ...}.  'top' is a compact object, or empty.
 * 'may_clash': members of 'top' may bear names of parts; without it nobody looks. */
void merge_append(struct buf *out, struct span top, const struct merge_part *parts,
                  size_t n, bool may_clash);

#endif
