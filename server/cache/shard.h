/*
 * shard.h - one part of the store: its lock and its index.
 *
 * Owns: who may write in a shard, and the way from a key's hash to a place.
 * Promises: the lock is had at once or not at all; a shard whose holder died is emptied
 * by the next who wants it.  Index slots are changed by compare-and-swap alone, because
 * an invalidation clears them without the lock.
 */
#ifndef SERVER_CACHE_SHARD_H
#define SERVER_CACHE_SHARD_H

#include "server/cache/layout.h"

#define SET_SLOTS ((size_t)SET_LINES * INDEX_SLOTS)

/* A shard as this process sees it, for the length of one call. */
struct shard_view {
    struct cache *c;
    struct shard *shard;
    char *base;
};

/* The shard of 'hash'. */
static inline struct shard_view
shard_of(const struct cache *c, uint64_t hash)
{
    struct shard *shard = region_shard(c, (size_t)(hash >> 56) & (c->at.nshards - 1));

    return (struct shard_view){ (struct cache *)(uintptr_t)c, shard,
                                (char *)(void *)shard };
}

/* False: somebody has it, do without. */
bool shard_lock(const struct shard_view *v) MUST_CHECK;
void shard_unlock(const struct shard_view *v);

/* Forgets every entry.  With the lock. */
void shard_wipe(const struct shard_view *v);

/* The line of the index that is looked at first for 'hash'. */
static inline struct index_line *
shard_line(const struct shard_view *v, uint64_t hash)
{
    size_t set = (size_t)((hash >> 24 & 0xffffffff) * v->c->at.nsets >> 32);

    return (struct index_line *)(void *)(v->base + v->c->at.index) + set * SET_LINES +
           (hash >> 22 & (SET_LINES - 1));
}

/* The lines of its set in the order in which they are looked at: 0 is 'line' itself.
 * Sets lie at multiples of their size. */
static inline struct index_line *
set_line(struct index_line *line, size_t i)
{
    return (struct index_line *)((uintptr_t)line ^ i * sizeof(struct index_line));
}

/* Slot 'i' of the set, beginning with those of 'line'. */
static inline _Atomic uint64_t *
set_slot(struct index_line *line, size_t i)
{
    return &set_line(line, i / INDEX_SLOTS)->slots[i % INDEX_SLOTS];
}

static inline _Atomic uint8_t *
set_visits(struct index_line *line, size_t i)
{
    return &set_line(line, i / INDEX_SLOTS)->visits[i % INDEX_SLOTS];
}

/* Changes a slot from 'old' to 'new'; false: it was not 'old' any more. */
static inline bool
slot_change(_Atomic uint64_t *slot, uint64_t old, uint64_t new)
{
    return atomic_compare_exchange_strong(slot, &old, new);
}

/* The words at 'place' of the shard (from its begin). */
static inline _Atomic uint64_t *
shard_words(const struct shard_view *v, size_t place)
{
    return (_Atomic uint64_t *)(void *)(v->base + place);
}

#endif
