/*
 * pack.h - the items of one batch, in one block of memory.
 *
 * Owns: the bytes of the items that came back together and how many requests still
 * point into them.  One block for a batch instead of one for an item: no allocation per
 * row, and an item wanted by many clients is held once.
 */
#ifndef SERVER_ITEM_PACK_H
#define SERVER_ITEM_PACK_H

#include "common/buf.h"
#include "common/compiler.h"

struct item_pack {
    struct buf bytes;
    unsigned refs;
};

/* An empty pack with one reference, the caller's.  NULL: no memory. */
struct item_pack *item_pack_new(void) MUST_CHECK;

/* The bytes must not grow any more once a second reference exists: spans into them
 * are held by then. */
struct item_pack *item_pack_ref(struct item_pack *pack);

/* Gives one reference back and clears the pointer; the last one frees. */
void item_pack_unref(struct item_pack **pack);

#endif
