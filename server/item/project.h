/*
 * project.h - parts of an item, without taking it apart.
 *
 * Owns: finding members in the compact JSON that compose.h writes.  The input is trusted
 * to be valid and compact; nothing is copied, values are spans of the item's own bytes,
 * digit for digit.
 * Promise: with marks (marks.h) the same is found as without, only sooner; and whatever
 * they say, nothing beyond the object is read.
 */
#ifndef SERVER_ITEM_PROJECT_H
#define SERVER_ITEM_PROJECT_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

/* An object, and how long its members are if that is known. */
struct json_object {
    struct span json;
    struct span marks;
};

static inline struct json_object
json_plain(struct span json)
{
    return (struct json_object){ json, { NULL, 0 } };
}

/* A walk over the members of an object or the elements of an array. */
struct json_walk {
    const char *p;
    const char *end;
    struct span marks; /* of the members from 'p' on; empty: look for yourself */
};

struct json_walk json_walk_begin(struct json_object object);

/* The next member: its name as written between the quotes, and its value.  false: that
 * was the last. */
bool json_walk_next(struct json_walk *walk, struct span *name, struct span *value)
    MUST_CHECK;

/* The same for the elements of an array, which have no names. */
struct json_walk json_elements_begin(struct span array);
bool json_elements_next(struct json_walk *walk, struct span *value) MUST_CHECK;

/* The value at 'path': a member of that very name, or, when there is none, the names
 * between the points one inside the other ("attrs.color").  false: nothing there. */
bool json_find(struct json_object object, struct span path, struct span *value)
    MUST_CHECK;

/* The same for somebody who asks for one field after the other: 'from' is where the walk
 * over 'object' stands, and the search goes on there and round, so that fields asked for
 * in their own order cost one walk.  Of a name that stands there twice, either. */
bool json_find_next(struct json_walk *from, struct json_object object, struct span path,
                    struct span *value) MUST_CHECK;

/* Appends an object that holds only 'fields' of 'object', in that order, each named as
 * asked; what is not there is null. */
void json_project(struct buf *out, struct json_object object, const struct span *fields,
                  size_t n);

#endif
