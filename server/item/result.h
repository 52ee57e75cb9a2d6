/*
 * result.h - what is known of one requested position.
 *
 * Owns: the words for an item's fate, shared by those who find it out (sources) and
 * those who say it (dialects).
 */
#ifndef SERVER_ITEM_RESULT_H
#define SERVER_ITEM_RESULT_H

#include "common/span.h"
#include "server/item/project.h"

#include <stdbool.h>

enum item_status {
    ITEM_OPEN, /* not known yet */
    ITEM_FOUND,
    ITEM_STALE, /* found, older than its source calls fresh, and allowed to be shown */
    ITEM_MISS,  /* the source says there is no such item */
    ITEM_FAIL_TIMEOUT,
    ITEM_FAIL_DATABASE,
    ITEM_FAIL_UPSTREAM,
    ITEM_FAIL_OVERLOAD,
    ITEM_FAIL_BADID,
    ITEM_FAIL_TOOBIG,
    ITEM_FAIL_STALE, /* only a copy too old for the request is to be had */
    ITEM_NSTATUSES,
};

/* Who knew it. */
enum item_origin {
    ITEM_FROM_NOBODY, /* it was plain from the key, or nobody knew in time */
    ITEM_FROM_CACHE,
    ITEM_FROM_STALE,  /* the cache, though it is older than fresh */
    ITEM_FROM_LEASE,  /* the fetch of another worker, which was waited for */
    ITEM_FROM_SOURCE, /* the source was asked */
    ITEM_NORIGINS,
};

/* One position of an answer: the key as the client wrote it, and its item. */
struct item_result {
    struct span key;
    struct span json; /* of an item that is present */
    enum item_status status;
    unsigned age_ms; /* ITEM_STALE only */
    unsigned nmarks; /* bytes of marks right behind the item's */
};

/* "timeout", "database", ...: the code of a FAIL line; empty for the others. */
struct span item_fail_code(enum item_status status);

/* Is there an item to show? */
static inline bool
item_present(enum item_status status)
{
    return status == ITEM_FOUND || status == ITEM_STALE;
}

/* The item, for who takes it apart. */
static inline struct json_object
item_object(const struct item_result *r)
{
    /* A place that shows none has no address to add to. */
    const char *end = r->json.p == NULL ? NULL : r->json.p + r->json.n;

    return (struct json_object){ r->json, span_of(end, r->nmarks) };
}

/* "none", "cache", "stale", "lease", "source". */
const char *item_origin_name(enum item_origin origin);

static inline bool
item_failed(enum item_status status)
{
    return status >= ITEM_FAIL_TIMEOUT;
}

#endif
