/*
 * cache.c - what the shared region means.
 *
 * The names that others call, and the order in which an invalidation does its two
 * things: first the time, which stops the fills under way, then the entry itself.
 */
#include "server/cache/cache.h"

#include "server/cache/layout.h"
#include "server/cache/ring.h"
#include "server/cache/store.h"
#include "server/cache/times.h"

void
cache_key(const struct cache *c, uint64_t source, struct span id, struct cache_key *key)
{
    struct hash_key secret = { c->hash_key.k0 ^ source, c->hash_key.k1 };
    struct shard_view v;

    key->source = source;
    key->id = id;
    key->hash = hash_bytes(&secret, id);
    v = shard_of(c, key->hash);
    key->line = shard_line(&v, key->hash);
}

void
cache_prefetch(const struct cache *c, const struct cache_key *key)
{
    store_prefetch(c, key);
}

void
cache_approach_put(const struct cache *c, const struct cache_key *key)
{
    size_t i;

    for (i = 0; i < SET_LINES; i++)
        __builtin_prefetch(set_line(key->line, i));
    times_approach(c, key->hash);
}

enum cache_verdict
cache_get(struct cache *c, const struct cache_key *key, struct buf *out,
          struct cache_hit *hit)
{
    return store_read(c, key, out, hit);
}

enum cache_put
cache_put_found(struct cache *c, const struct cache_key *key, usec_t asked_at,
                struct span item, uint64_t form, struct span marks)
{
    struct entry e = { .key = key,
                       .kind = ENTRY_FOUND,
                       .asked_at = asked_at,
                       .item = item,
                       .form = form,
                       .marks = marks };

    return store_write(c, &e);
}

enum cache_put
cache_put_absent(struct cache *c, const struct cache_key *key, usec_t asked_at)
{
    struct entry e = { .key = key, .kind = ENTRY_ABSENT, .asked_at = asked_at };

    return store_write(c, &e);
}

bool
cache_invalidate(struct cache *c, const struct cache_key *key, usec_t when)
{
    times_raise_key(c, key->hash, when);
    return store_drop(c, key->hash);
}

void
cache_flush(struct cache *c, usec_t when)
{
    times_raise_flushed(c, when);
}

bool
cache_invalidated_since(const struct cache *c, const struct cache_key *key,
                        usec_t asked_at)
{
    return asked_at <= times_key(c, key->hash);
}

/* A figure that cannot be: an invalidation counts down what a wipe has set to 0 before,
 * or its bits flipped. */
static uint64_t
plausible(uint64_t figure, uint64_t most)
{
    return figure <= most ? figure : 0;
}

static void
stats_add(const struct cache *c, size_t shard, struct cache_stats *out)
{
    const struct shard *s = region_shard(c, shard);
    struct shard_view v = { (struct cache *)(uintptr_t)c, region_shard(c, shard),
                            (char *)(void *)region_shard(c, shard) };
    usec_t oldest = ring_oldest(&v);
    size_t i;

    for (i = 0; i < RINGS; i++) {
        out->bytes_max += c->at.ring_bytes[i];
        out->bytes += plausible(word_get(&s->rings[i].used), c->at.ring_bytes[i]);
    }
    out->entries += plausible(word_get(&s->entries), c->at.nsets * SET_SLOTS);
    out->evictions += word_get(&s->evictions);
    out->stored += word_get(&s->stored);
    out->not_stored += word_get(&s->not_stored);
    out->refused += word_get(&s->refused);
    out->wiped += word_get(&s->wiped);
    if (oldest != 0 && (out->oldest_at == 0 || oldest < out->oldest_at))
        out->oldest_at = oldest;
}

void
cache_stats(const struct cache *c, struct cache_stats *out)
{
    size_t i;

    memset(out, 0, sizeof(*out));
    for (i = 0; i < c->at.nshards; i++)
        stats_add(c, i, out);
}
