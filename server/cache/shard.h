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

#define PAIR_SLOTS ((size_t)2 * INDEX_SLOTS)

/* A shard as this process sees it, for the length of one call. */
struct shard_view {
    struct cache *c;
    struct shard *shard;
    char *base;
};

/* The shard of 'hash'. */
struct shard_view shard_of(const struct cache *c, uint64_t hash);

/* False: somebody has it, do without. */
bool shard_lock(const struct shard_view *v) MUST_CHECK;
void shard_unlock(const struct shard_view *v);

/* Forgets every entry.  With the lock. */
void shard_wipe(const struct shard_view *v);

/* The line of the index that is looked at first for 'hash'. */
struct index_line *shard_line(const struct shard_view *v, uint64_t hash);

/* The other one of its pair: pairs lie at multiples of two lines. */
static inline struct index_line *
pair_other(struct index_line *line)
{
    return (struct index_line *)((uintptr_t)line ^ sizeof(struct index_line));
}

/* Slot 'i' of the pair whose first line is 'line'. */
static inline _Atomic uint64_t *
pair_slot(struct index_line *line, size_t i)
{
    return i < INDEX_SLOTS ? &line->slots[i] : &pair_other(line)->slots[i - INDEX_SLOTS];
}

static inline _Atomic uint8_t *
pair_visits(struct index_line *line, size_t i)
{
    return i < INDEX_SLOTS ? &line->visits[i]
                           : &pair_other(line)->visits[i - INDEX_SLOTS];
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
