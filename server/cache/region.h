/*
 * region.h - the mapping, who is alive, and the times of invalidations.
 */
#ifndef SERVER_CACHE_REGION_H
#define SERVER_CACHE_REGION_H

#include "server/cache/layout.h"

/* How this process signs what it holds; 0: it may not hold anything. */
uint64_t holder_word(struct cache *c) MUST_CHECK;

/* Is that somebody's signature who lives (or is stopped)?  False for what no process
 * ever signed. */
bool holder_lives(const struct cache *c, uint64_t word) MUST_CHECK;

/* The present epoch of 'slot', which is below the capacity. */
uint32_t holder_epoch(const struct cache *c, size_t slot);

/* Wakes the groups of slots whose bits are set. */
void region_wake(const struct cache *c, uint64_t groups);

/* The bit of this process's own group; 0: it cannot be woken. */
uint64_t region_wake_bit(const struct cache *c);

#endif
