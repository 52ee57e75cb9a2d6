/*
 * result.c - what is known of one requested position.
 */
#include "server/item/result.h"

#include <stddef.h>

/* clang-format off */
#define CODE(text) { (text), sizeof(text) - 1 } /* SPAN is no constant in ISO C */
/* clang-format on */

static const struct span fail_codes[ITEM_NSTATUSES] = {
    [ITEM_FAIL_TIMEOUT] = CODE("timeout"),   [ITEM_FAIL_DATABASE] = CODE("database"),
    [ITEM_FAIL_UPSTREAM] = CODE("upstream"), [ITEM_FAIL_OVERLOAD] = CODE("overload"),
    [ITEM_FAIL_BADID] = CODE("badid"),       [ITEM_FAIL_TOOBIG] = CODE("toobig"),
    [ITEM_FAIL_STALE] = CODE("stale"),
};

struct span
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
