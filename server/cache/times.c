/*
 * times.c - when what was invalidated.
 *
 * A time is kept as 48 bits (nine years of uptime) and 16 check bits.  A word whose bits
 * changed by themselves may have lost an invalidation: it counts as one of this moment
 * and is written anew, so it costs hits for once and never serves what it should not.
 */
#include "server/cache/times.h"

#define TIME_MASK (((uint64_t)1 << 48) - 1)

/* One multiplication: every hit looks at the time of the last flush.  No window of 16
 * bits of the factor is all zeros or ones, so no single bit goes unnoticed. */
static inline uint64_t
time_pack(usec_t t)
{
    t &= TIME_MASK;
    return t * 0x9e3779b97f4a7c15u >> 48 << 48 | t;
}

/* The word's time; one that makes no sense is replaced by now. */
static usec_t
time_load(_Atomic uint64_t *at)
{
    uint64_t word = atomic_load(at);
    usec_t now;

    if (likely(word == time_pack(word)))
        return word & TIME_MASK;
    now = clock_now();
    /* When this fails somebody else has mended or raised it, which was no earlier. */
    (void)atomic_compare_exchange_strong(at, &word, time_pack(now));
    return now;
}

static void
time_raise(_Atomic uint64_t *at, usec_t when)
{
    uint64_t word = atomic_load(at);

    /* Lost a race: the winner raised it, so this ends. */
    while (word != time_pack(word) || (word & TIME_MASK) < when) {
        if (atomic_compare_exchange_weak(at, &word, time_pack(when)))
            return;
    }
}

static _Atomic uint64_t *
key_time(const struct cache *c, uint64_t hash)
{
    return &region_words(c, c->at.inval)[word_mix(hash) & (c->at.ninval - 1)];
}

void
times_raise_flushed(const struct cache *c, usec_t when)
{
    time_raise(&region_head(c)->flushed, when);
}

void
times_raise_key(const struct cache *c, uint64_t hash, usec_t when)
{
    time_raise(key_time(c, hash), when);
    cache_hook(c, CACHE_POINT_RAISED);
}

usec_t
times_flushed(const struct cache *c)
{
    return time_load(&region_head(c)->flushed);
}

usec_t
times_key(const struct cache *c, uint64_t hash)
{
    usec_t key = time_load(key_time(c, hash)), all = times_flushed(c);

    return key > all ? key : all;
}
