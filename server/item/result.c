/*
 * result.c - what is known of one requested position.
 */
#include "server/item/result.h"

#include <stddef.h>

static const char *const fail_codes[ITEM_NSTATUSES] = {
    [ITEM_FAIL_TIMEOUT] = "timeout",   [ITEM_FAIL_DATABASE] = "database",
    [ITEM_FAIL_UPSTREAM] = "upstream", [ITEM_FAIL_OVERLOAD] = "overload",
    [ITEM_FAIL_BADID] = "badid",       [ITEM_FAIL_TOOBIG] = "toobig",
    [ITEM_FAIL_STALE] = "stale",
};

const char *
item_fail_code(enum item_status status)
{
    return fail_codes[status];
}

static const char *const origin_names[ITEM_NORIGINS] = {
    [ITEM_FROM_NOBODY] = "none",   [ITEM_FROM_CACHE] = "cache",
    [ITEM_FROM_STALE] = "stale",   [ITEM_FROM_LEASE] = "lease",
    [ITEM_FROM_SOURCE] = "source",
};

const char *
item_origin_name(enum item_origin origin)
{
    return origin_names[origin];
}
