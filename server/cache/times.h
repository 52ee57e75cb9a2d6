/*
 * times.h - when what was invalidated.
 *
 * Owns: the time of the last flush and the table of times of invalidations by hash.
 * Times only rise.  Raised by compare-and-swap, never waits.
 */
#ifndef SERVER_CACHE_TIMES_H
#define SERVER_CACHE_TIMES_H

#include "server/cache/layout.h"

void times_raise_flushed(const struct cache *c, usec_t when);
void times_raise_key(const struct cache *c, uint64_t hash, usec_t when);

usec_t times_flushed(const struct cache *c);

/* The last flush, or the last invalidation at the place of 'hash', if that is later. */
usec_t times_key(const struct cache *c, uint64_t hash);

#endif
