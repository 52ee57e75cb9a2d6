/*
 * http_items.h - what an answer says about the ids of a batch.
 *
 * Owns: the judgement of an answer's JSON.  Promise: an item is what the API sent, digit
 * for digit, compact; it belongs to an id because the answer says so in a field, never
 * because of where it stands; what the answer does not show clearly is no MISS.
 */
#ifndef SERVER_SOURCE_HTTP_ITEMS_H
#define SERVER_SOURCE_HTTP_ITEMS_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/source/loader.h"

#include <stdbool.h>
#include <stddef.h>

/* The answer to a call for one id: the item of place 0, which is one JSON object, or
 * ITEM_FAIL_TOOBIG.  NULL: done; else why it is no item, and the batch is as before. */
const char *http_item_read(struct batch *batch, struct span body, size_t item_max)
    MUST_CHECK;

/* The answer to a call for many.  'items' leads to the array of items ("": the answer is
 * it), 'match' from an item to its id, both as paths of names with points between.  Objects
 * for ids that were not asked and nulls are passed over; an id that shows up twice, and,
 * when something in the array cannot be read, every id that does not show up, fail with
 * 'failure'.  'scratch' is overwritten.  NULL or why, as above. */
const char *http_items_read(struct batch *batch, struct span body, struct span items,
                            struct span match, size_t item_max, enum item_status failure,
                            struct buf *scratch) MUST_CHECK;

#endif
