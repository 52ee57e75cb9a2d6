/*
 * result.h - what is known of one requested position.
 *
 * Owns: the words for an item's fate, shared by those who find it out (sources) and
 * those who say it (dialects).
 */
#ifndef SERVER_ITEM_RESULT_H
#define SERVER_ITEM_RESULT_H

#include "common/span.h"

#include <stdbool.h>

enum item_status {
    ITEM_OPEN, /* not known yet */
    ITEM_FOUND,
    ITEM_MISS, /* the source says there is no such item */
    ITEM_FAIL_TIMEOUT,
    ITEM_FAIL_DATABASE,
    ITEM_FAIL_UPSTREAM,
    ITEM_FAIL_OVERLOAD,
    ITEM_FAIL_BADID,
    ITEM_FAIL_TOOBIG,
    ITEM_NSTATUSES,
};

/* One position of an answer: the key as the client wrote it, and its item. */
struct item_result {
    struct span key;
    struct span json; /* ITEM_FOUND only */
    enum item_status status;
};

/* "timeout", "database", ...: the code of a FAIL line; NULL for the others. */
const char *item_fail_code(enum item_status status);

static inline bool
item_failed(enum item_status status)
{
    return status >= ITEM_FAIL_TIMEOUT;
}

#endif
