/*
 * lookup.h - what is known of a source's ids without asking it.
 *
 * Owns: one source's policy of freshness, held against the times that the shared cache
 * tells: may this be shown, must it be said to be old, must the source be asked?
 * Promise: nothing is shown that is older than the policy or the request allows, and
 * nothing that was invalidated.  Never knows: clients, dialects, statements.
 *
 *     lookup_key .. lookup_prefetch .. lookup_get -> FRESH, STALE, ABSENT: show it
 *                                                    NOTHING: loader_want
 *
 *     0 ---- fresh ---- fresh + stale ---- fresh + stale_if_error ----> age
 *       FRESH    STALE, and fetch anew     only when the source fails
 */
#ifndef SERVER_SOURCE_LOOKUP_H
#define SERVER_SOURCE_LOOKUP_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/cache/cache.h"
#include "server/cache/lease.h"

#include <stdbool.h>
#include <stddef.h>

struct source;

/* A request that gives no bound of its own. */
#define LOOKUP_ANY_AGE UINT64_MAX

/* The age of an item counts from when its query was sent. */
struct lookup_policy {
    usec_t fresh; /* 0: nothing is kept */
    usec_t negative;
    usec_t stale;
    usec_t stale_if_error;
    unsigned jitter_percent; /* of fresh, taken off at most */
};

struct lookup {
    struct cache *cache; /* NULL: there is none */
    const struct source *source;
    struct lookup_policy policy;
};

enum lookup_verdict {
    LOOKUP_NOTHING, /* ask the source */
    LOOKUP_FRESH,
    LOOKUP_STALE,   /* show it as such; lookup_get: and have it fetched anew */
    LOOKUP_ABSENT,  /* there is no such item */
    LOOKUP_TOO_OLD, /* lookup_fallback only: there is one, but the request forbids it */
};

/* What was appended to the caller's buffer. */
struct lookup_item {
    bool with_marks; /* In: the item's marks too (item/marks.h), behind it */
    size_t nmarks;   /* bytes of them; 0: it came without */
    size_t len;
    usec_t age;
};

/* Everything given is borrowed. */
void lookup_init(struct lookup *l, struct cache *cache, const struct source *source,
                 const struct lookup_policy *policy);

/* Could anything be known? */
bool lookup_on(const struct lookup *l);

/* The key of a canonical id; it begins to bring what is known near.  Only while
 * lookup_on, as everything below. */
void lookup_key(const struct lookup *l, struct span id, struct cache_key *key);

/* Begins to bring near what lookup_keep will look at for 'id'. */
void lookup_approach(const struct lookup *l, struct span id);

/* Appends the item, if it may be shown, to 'out': never more than one copy.  'max_age'
 * binds STALE too. */
enum lookup_verdict lookup_get(const struct lookup *l, const struct cache_key *key,
                               usec_t max_age, usec_t now, struct buf *out,
                               struct lookup_item *item) MUST_CHECK;

/* Does the policy show old items instead of failures at all? */
bool lookup_rescues(const struct lookup *l);

/* The source failed, or is too late: is there a copy that may be shown instead? */
enum lookup_verdict lookup_fallback(const struct lookup *l, const struct cache_key *key,
                                    usec_t max_age, usec_t now, struct buf *out,
                                    struct lookup_item *item) MUST_CHECK;

/* May a want of now take the answer of a query sent at 'asked_at'?  Not when the id was
 * invalidated since.  Whether or not lookup_on. */
bool lookup_may_join(const struct lookup *l, struct span id, usec_t asked_at) MUST_CHECK;

/* Keeps what the source said to a query sent at 'asked_at', and where its members are; the
 * verdict is for whoever waits for it in other workers. */
enum lease_state lookup_keep(const struct lookup *l, const struct cache_key *key,
                             usec_t asked_at, struct span json);
enum lease_state lookup_keep_absent(const struct lookup *l, const struct cache_key *key,
                                    usec_t asked_at);

#endif
