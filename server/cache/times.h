/*
 * times.h - when what was invalidated.
 *
 * Owns: the time of the last flush and the table of times of invalidations by hash.
 * Times only rise.  Raised by compare-and-swap, never waits.
 */
#ifndef SERVER_CACHE_TIMES_H
#define SERVER_CACHE_TIMES_H

#include "common/compiler.h"
#include "server/cache/layout.h"

#define TIME_MASK (((uint64_t)1 << 48) - 1)

/* One multiplication: every hit looks at the time of the last flush.  No window of 16
 * bits of the factor is all zeros or ones, so no single bit goes unnoticed. */
static inline uint64_t
time_pack(usec_t t)
{
    t &= TIME_MASK;
    return t * 0x9e3779b97f4a7c15u >> 48 << 48 | t;
}

/* The word 'broken' makes no sense: it is replaced by now, which is returned. */
usec_t times_mend(_Atomic uint64_t *at, uint64_t broken);

static inline usec_t
time_load(_Atomic uint64_t *at)
{
    uint64_t word = atomic_load(at);

    return likely(word == time_pack(word)) ? word & TIME_MASK : times_mend(at, word);
}

void times_raise_flushed(const struct cache *c, usec_t when);
void times_raise_key(const struct cache *c, uint64_t hash, usec_t when);

static inline usec_t
times_flushed(const struct cache *c)
{
    return time_load(&region_head(c)->flushed);
}

/* Begins to bring near what times_key will look at. */
void times_approach(const struct cache *c, uint64_t hash);

/* The last flush, or the last invalidation at the place of 'hash', if that is later. */
usec_t times_key(const struct cache *c, uint64_t hash);

#endif
