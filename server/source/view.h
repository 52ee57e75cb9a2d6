/*
 * view.h - one item made of several sources.
 *
 * Owns: the views of this worker and every item of theirs that is being put together.
 * A view asks nothing itself and gathers no batches: each part is a want at its own
 * source's loader, in the flow of the client who asked.  So a part is asked once however
 * many views and clients want it, and clients take turns as they do everywhere.
 *
 *     view_item_new --> loader_want, one a part --> ... part by part ...
 *     waiter->answered <-- views_settle, at the end of the turn <-- the parts are known
 *                      <-- view_item_expire: time is up, say what you have
 *
 * Promises: a waiter hears exactly once, unless its item was freed; no answer arrives
 * inside view_item_new.  An item is told when its required parts are there and each other
 * part is there, known to be missing or out of its budget; it is STALE when one of its
 * parts is, and as old as the oldest of them.  One item never waits for
 * another.
 * Never knows: requests, dialects, deadlines but as a number.
 */
#ifndef SERVER_SOURCE_VIEW_H
#define SERVER_SOURCE_VIEW_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/config/config.h"
#include "server/source/loader.h"
#include "server/source/source.h"
#include "server/stats/metrics.h"

#include <stdbool.h>
#include <stddef.h>

struct views;
struct view_item;

/* Who asks for an item, and for how much of it. */
struct view_asker {
    struct loader_flow *flows; /* one for each source of the configuration */
    usec_t deadline;
    bool fresh;
    usec_t max_age;            /* of what the cache knows; LOOKUP_ANY_AGE: no bound */
    unsigned max_age_ms;       /* the same for what others ask for; 0: no bound */
    const struct span *fields; /* paths that will be shown; none: all */
    size_t nfields;
};

/* The views of 'config' over its sources, source i with loader i; all of these are
 * borrowed and outlive the views.  NULL: no memory. */
struct views *views_new(const struct config *config, struct source **sources,
                        struct loader **loaders, struct metrics *metrics) MUST_CHECK;

/* Only when every item was freed. */
void views_free(struct views **views);

/* For config.views[i]. */
struct source *views_source(struct views *views, size_t i);

/* End of the turn, behind the loaders: tells who can be told.  true: parts were wanted
 * meanwhile (keys that came out of other parts), so the loaders have something to send;
 * call it again behind them. */
bool views_settle(struct views *views, usec_t now) MUST_CHECK;

/* When the next part runs out of its budget; 0: no part waits on one. */
usec_t views_due(const struct views *views);

/* Parts whose budget is over count as missing from here on. */
void views_expire(struct views *views, usec_t now);

/* --- one item --- */

/* Begins to put the item 'id' of a view together for 'waiter', of which 'answered' is used,
 * and 'origin' and 'age_ms' are set before that is called.  The waiter may free the item when it hears.  NULL: no memory, and the waiter
 * will hear nothing. */
struct view_item *view_item_new(struct source *view, struct span id,
                                const struct view_asker *asker,
                                struct loader_waiter *waiter, usec_t now) MUST_CHECK;

/* How many parts it is made of, for those who count work. */
size_t view_item_parts(const struct view_item *item);

/* The waiter's time is up: it hears now, of an item with the parts that are there if its
 * required ones are, else of a failure. */
void view_item_expire(struct view_item *item);

/* Asks no more for it and forgets it; the waiter will hear nothing.  What was sent for
 * its parts comes back to their sources all the same. */
void view_item_free(struct view_item **item);

/* How many parts the item lacks because they failed or were late. */
size_t view_item_lacks(const struct view_item *item);

/* Every part that was wanted and is not there, "stock:timeout,price:miss". */
void view_item_append_missing(const struct view_item *item, struct buf *out);

#endif
