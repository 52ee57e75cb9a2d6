/*
 * lookup.c - what is known of a source's ids without asking it.
 */
#include "server/source/lookup.h"

#include "server/item/marks.h"
#include "server/cache/seeded.h"
#include "server/source/source.h"

static usec_t
least(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

void
lookup_init(struct lookup *l, struct cache *cache, const struct source *source,
            const struct lookup_policy *policy)
{
    l->cache = cache;
    l->source = source;
    l->policy = *policy;
}

bool
lookup_on(const struct lookup *l)
{
    return l->cache != NULL && l->policy.fresh > 0 && l->source->fingerprint != 0;
}

void
lookup_key(const struct lookup *l, struct span id, struct cache_key *key)
{
    cache_key(l->cache, l->source->fingerprint, id, key);
}

void
lookup_approach(const struct lookup *l, struct span id)
{
    struct cache_key key;

    lookup_key(l, id, &key);
    cache_approach_put(l->cache, &key);
}

static void
lookup_take_back(struct buf *out, const struct cache_hit *hit)
{
    out->len -= hit->len + hit->nmarks;
}

/* The item under 'key', if it is of the form that the source's items have now. */
static enum cache_verdict
lookup_read(const struct lookup *l, const struct cache_key *key, usec_t now,
            struct buf *out, struct cache_hit *hit, struct lookup_item *item)
{
    enum cache_verdict verdict;

    *hit = (struct cache_hit){ .with_marks = item->with_marks };
    verdict = cache_get(l->cache, key, out, hit);
    if (verdict == CACHE_FOUND && l->source->form != 0 && hit->form != l->source->form) {
        lookup_take_back(out, hit);
        return CACHE_MISS;
    }
    item->len = verdict == CACHE_FOUND ? hit->len : 0;
    item->nmarks = verdict == CACHE_FOUND ? hit->nmarks : 0;
    item->age = now > hit->asked_at ? now - hit->asked_at : 0;
    return verdict;
}

/* How long this very copy is fresh.  Drawn from the key and the time: what came in one
 * statement does not grow old together, and every worker draws the same. */
static usec_t
lookup_fresh_for(const struct lookup *l, const struct cache_key *key, usec_t asked_at)
{
    uint64_t draw = (key->hash ^ asked_at) * 0x9e3779b97f4a7c15u >> 54; /* 0..1023 */
    usec_t most = l->policy.fresh / 100 * l->policy.jitter_percent;

    return l->policy.fresh - most / 1024 * draw;
}

static enum lookup_verdict
lookup_judge(const struct lookup *l, const struct cache_key *key, usec_t asked_at,
             usec_t age, usec_t max_age)
{
    if (age > max_age)
        return LOOKUP_NOTHING;
    if (age <= lookup_fresh_for(l, key, asked_at) || SEEDED(fresh))
        return LOOKUP_FRESH;
    if (l->policy.stale > 0 && age <= l->policy.fresh + l->policy.stale)
        return LOOKUP_STALE;
    return LOOKUP_NOTHING;
}

enum lookup_verdict
lookup_get(const struct lookup *l, const struct cache_key *key, usec_t max_age,
           usec_t now, struct buf *out, struct lookup_item *item)
{
    enum lookup_verdict verdict = LOOKUP_NOTHING;
    struct cache_hit hit;

    switch (lookup_read(l, key, now, out, &hit, item)) {
    case CACHE_MISS:
        break;
    case CACHE_FOUND:
        verdict = lookup_judge(l, key, hit.asked_at, item->age, max_age);
        if (verdict == LOOKUP_NOTHING)
            lookup_take_back(out, &hit);
        break;
    case CACHE_ABSENT:
        if (item->age <= least(max_age, least(l->policy.negative, l->policy.fresh)))
            verdict = LOOKUP_ABSENT;
        break;
    }
    return verdict;
}

static usec_t
lookup_last_chance(const struct lookup *l)
{
    return l->policy.stale > l->policy.stale_if_error ? l->policy.stale
                                                      : l->policy.stale_if_error;
}

bool
lookup_rescues(const struct lookup *l)
{
    return lookup_on(l) && lookup_last_chance(l) > 0;
}

enum lookup_verdict
lookup_fallback(const struct lookup *l, const struct cache_key *key, usec_t max_age,
                usec_t now, struct buf *out, struct lookup_item *item)
{
    struct cache_hit hit;
    usec_t oldest = l->policy.fresh + lookup_last_chance(l);

    if (lookup_read(l, key, now, out, &hit, item) != CACHE_FOUND)
        return LOOKUP_NOTHING;
    if (item->age <= least(max_age, oldest))
        return LOOKUP_STALE;
    lookup_take_back(out, &hit);
    return item->age <= oldest ? LOOKUP_TOO_OLD : LOOKUP_NOTHING;
}

bool
lookup_may_join(const struct lookup *l, struct span id, usec_t asked_at)
{
    struct cache_key key;

    if (l->cache == NULL || l->source->fingerprint == 0)
        return true;
    lookup_key(l, id, &key);
    return !cache_invalidated_since(l->cache, &key, asked_at);
}

enum lease_state
lookup_keep(const struct lookup *l, const struct cache_key *key, usec_t asked_at,
            struct span json)
{
    char marks[CACHE_MARKS_MAX];
    size_t n = marks_make(json, marks, sizeof(marks));

    if (cache_put_found(l->cache, key, asked_at, json, l->source->form,
                        span_of(marks, n)) == CACHE_STORED)
        return LEASE_STORED;
    return LEASE_NOT_STORED;
}

/* Kept even when no absence is ever shown (negative = 0): it takes the place of an item
 * that is gone. */
enum lease_state
lookup_keep_absent(const struct lookup *l, const struct cache_key *key, usec_t asked_at)
{
    if (cache_put_absent(l->cache, key, asked_at) == CACHE_REFUSED)
        return LEASE_NOT_STORED;
    return LEASE_ABSENT;
}
