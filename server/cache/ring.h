/*
 * ring.h - where entries lie, and which of them make room.
 *
 * Owns: the two rings of a shard and the ghosts (what was evicted of late).
 * All of it with the shard's lock.
 */
#ifndef SERVER_CACHE_RING_H
#define SERVER_CACHE_RING_H

#include "server/cache/shard.h"

/* Makes room for an entry of 'bytes' (a multiple of UNIT) for the key of 'hash', evicting
 * whom it must.  'known': an entry of that key was there already.  Returns its place in
 * the shard; 0: too large.  When the shard makes no sense it is wiped. */
size_t ring_room(const struct shard_view *v, uint64_t hash, size_t bytes, bool known)
    MUST_CHECK;

/* The asked_at of the next to be evicted; 0: nobody.  Without the lock, for figures. */
usec_t ring_oldest(const struct shard_view *v);

#endif
