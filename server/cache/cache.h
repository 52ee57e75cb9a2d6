/*
 * cache.h - one cache for all workers, in memory that they share.
 *
 * Owns: the shared region and what it means: items and proven absences under (source
 * fingerprint, id), the times of invalidations, who is alive.  Leases are in lease.h.
 *
 *     master   cache_new ---- fork ---- cache_join   worker
 *              cache_slot_died            cache_key .. cache_prefetch .. cache_get
 *              cache_fds, cache_adopt     cache_put_found / cache_put_absent
 *
 * Promises:
 *   - no process ever waits on another: a writer that does not get a shard's lock at
 *     once does not store, a reader takes no lock;
 *   - a process that dies at any instruction, or bits that change by themselves, cost
 *     hits, never a wrong byte;
 *   - what was invalidated (or flushed) is found by nobody once that call has returned,
 *     and a fill whose query had been sent before is never found at all.
 * Never knows: sources, dialects, how fresh is fresh enough (it returns times).
 *
 * A 'struct cache' is one process's own view of the region; it is not for two threads.
 * All times are clock_now()'s.
 */
#ifndef SERVER_CACHE_CACHE_H
#define SERVER_CACHE_CACHE_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

#define CACHE_BYTES_MIN ((size_t)1 << 20)
#define CACHE_CAPACITY_MAX 1023 /* slots */
#define CACHE_ID_MAX 250
#define CACHE_ITEM_MAX ((size_t)1 << 20)
#define CACHE_MARKS_MAX 12288 /* bytes */

/* --- master: the region --- */

/* A region of about 'bytes' (at least CACHE_BYTES_MIN) for processes with the slots 0 to
 * capacity - 1, and descriptors to wake them.  Made before the first fork; no page is
 * touched before it is used.  NULL with errno. */
struct cache *cache_new(size_t bytes, size_t capacity) MUST_CHECK;

/* The descriptors that carry the cache over an execve (they are close-on-exec: clear
 * that first): fds[0] is the region, the others wake.  Returns how many. */
#define CACHE_FDS_MAX 65
size_t cache_fds(const struct cache *cache, int fds[CACHE_FDS_MAX]);

/* The cache behind the descriptors of cache_fds, with everything in it, if it is of the
 * same layout, size and capacity as cache_new(bytes, capacity) would make now; then it
 * owns the descriptors.  NULL: it is not, and they are left open; make a new one. */
struct cache *cache_adopt(const int *fds, size_t nfds, size_t bytes, size_t capacity)
    MUST_CHECK;

/* Unmaps the region and closes the descriptors; other processes keep theirs. */
void cache_free(struct cache **cache);

/* The process in 'slot' was reaped: what it held is free to take, and everybody who
 * waits is woken to take it.  Only after waitpid: the living must not be declared dead. */
void cache_slot_died(struct cache *cache, size_t slot);

/* --- worker: belonging to it --- */

/* In the child after fork, once: this process is 'slot' from now on.  Before it, reads
 * and invalidations work, puts are not stored and leases not given. */
void cache_join(struct cache *cache, size_t slot);

/* Becomes readable when a lease that this process waits for has ended or its owner died;
 * -1: there is none, and leases never say LEASE_ELSEWHERE.  Shared by several slots, so:
 * watch it EDGE-TRIGGERED (EV_ET) and NEVER READ it.  Then ask lease_look for each
 * ticket.  Wakes may come for nothing. */
int cache_wake_fd(const struct cache *cache);

/* --- keys --- */

struct cache_key {
    uint64_t source; /* fingerprint of the source's definition and columns */
    struct span id;  /* borrowed; at most CACHE_ID_MAX bytes */
    uint64_t hash;   /* keyed, the same in all processes of this cache; spread evenly */
    void *line;      /* the cache's own: where its index begins */
};

/* Fills 'key'.  For many keys call this for all of them, then cache_approach for all,
 * then cache_prefetch for all (or a few ahead), then cache_get: hides most of the waits
 * for memory. */
void cache_key(const struct cache *cache, uint64_t source, struct span id,
               struct cache_key *key);

/* Begins to bring the key's index line near.  In a loop of its own: what takes long is to
 * find its page, a processor does that for several at a time, but only for those among
 * the few hundred instructions it looks ahead.  Beside the hashing of cache_key it waited
 * for each in turn, 42 ns an item (measured; 100 ids of a million, 4 KiB pages). */
static inline void
cache_approach(const struct cache_key *key)
{
    __builtin_prefetch(key->line);
}

/* Begins to bring near what a put will look at: some puts before it, for each waits for
 * four lines of the index and one of the times, a tenth of what an item from a source
 * takes in all (measured). */
void cache_approach_put(const struct cache *cache, const struct cache_key *key);

/* Begins to bring the entry itself near. */
void cache_prefetch(const struct cache *cache, const struct cache_key *key);

/* --- items --- */

enum cache_verdict {
    CACHE_MISS,   /* nothing known, or nothing that can be trusted */
    CACHE_FOUND,  /* an item */
    CACHE_ABSENT, /* the source said at 'asked_at' that there is none */
};

struct cache_hit {
    bool with_marks; /* In: append the item's marks too, behind it */
    usec_t asked_at; /* when the query that brought it was sent: age = now - asked_at */
    size_t len;      /* of the item */
    size_t nmarks;   /* bytes behind it; 0: it has none, or they can not be trusted */
    uint64_t form;
};

/* Appends the item's bytes to 'out', verified; marks that nobody wants are not even looked
 * at.  Unless CACHE_FOUND nothing is appended; when 'out' has no room it is marked failed
 * and the answer is CACHE_MISS. */
enum cache_verdict cache_get(struct cache *cache, const struct cache_key *key,
                             struct buf *out, struct cache_hit *hit) MUST_CHECK;

enum cache_put {
    CACHE_STORED,     /* everybody sees it now (or something asked for even later) */
    CACHE_NOT_STORED, /* somebody else holds the shard, or it is too large */
    CACHE_REFUSED,    /* invalidated or flushed since it was asked for */
};

/* 'asked_at': before the query was sent, to the source itself.  'form' and 'marks' come
 * back with the item as they were: what it was made from, say, and where its fields are.
 * Marks are a help: a hit may come without them. */
enum cache_put cache_put_found(struct cache *cache, const struct cache_key *key,
                               usec_t asked_at, struct span item, uint64_t form,
                               struct span marks);
enum cache_put cache_put_absent(struct cache *cache, const struct cache_key *key,
                                usec_t asked_at);

/* --- invalidation --- */

/* Drops 'key' and lets nothing in that was asked for at 'when' or before; 'when' is now,
 * or a little later when the change may not be visible yet.  True: there was an entry.
 * Always works, whatever other processes do; never waits. */
bool cache_invalidate(struct cache *cache, const struct cache_key *key, usec_t when);

/* The same for everything. */
void cache_flush(struct cache *cache, usec_t when);

/* Was 'key' (or, rarely, one of the same place in the table of times) invalidated, or
 * all flushed, at 'asked_at' or later?  Then a want of now must not join a query of
 * then, nor take its answer. */
bool cache_invalidated_since(const struct cache *cache, const struct cache_key *key,
                             usec_t asked_at) MUST_CHECK;

/* --- figures --- */

struct cache_stats {
    uint64_t bytes_max; /* that entries can take */
    uint64_t bytes;     /* that entries take, those that were replaced included */
    uint64_t entries;
    uint64_t evictions; /* entries that made room for others */
    uint64_t stored;    /* puts by how they ended, since the region was made */
    uint64_t not_stored;
    uint64_t refused;
    uint64_t wiped;   /* shards emptied because their writer died or they made no sense */
    usec_t oldest_at; /* the earliest asked_at among the next to be evicted; 0: none */
};

/* Adds up the shards; each figure is right, all of them at one instant they are not. */
void cache_stats(const struct cache *cache, struct cache_stats *out);

#endif
