/*
 * times.c - when what was invalidated.
 *
 * A time is kept as 48 bits (nine years of uptime) and 16 check bits.  A word whose bits
 * changed by themselves may have lost an invalidation: it counts as one of this moment
 * and is written anew, so it costs hits for once and never serves what it should not.
 */
#include "server/cache/times.h"

usec_t
times_mend(_Atomic uint64_t *at, uint64_t broken)
{
    usec_t now = clock_now();

    /* When this fails somebody else has mended or raised it, which was no earlier. */
    (void)atomic_compare_exchange_strong(at, &broken, time_pack(now));
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
times_approach(const struct cache *c, uint64_t hash)
{
    __builtin_prefetch(key_time(c, hash));
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
times_key(const struct cache *c, uint64_t hash)
{
    usec_t key = time_load(key_time(c, hash)), all = times_flushed(c);

    return key > all ? key : all;
}
