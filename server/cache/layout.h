/*
 * layout.h - what lies where in the shared region.
 *
 * Owns: the shared structures, the words they are made of, and each process's view.
 * Everything shared is made of atomic words, because everybody reads it while others
 * write.  Nothing in it is trusted: places are computed from the view's private copy of
 * the geometry, every offset and length read from the region is compared with bounds.
 *
 *     head | epochs | beats | inval | leases | shard 0 | shard 1 | ...
 *     shard: head | index | ghosts | small ring | main ring
 *
 * The index is made of sets of four lines of 64 bytes; a key has one set, and one line of
 * it that is filled and looked at first.  An entry lies in a ring, in one piece.
 */
#ifndef SERVER_CACHE_LAYOUT_H
#define SERVER_CACHE_LAYOUT_H

#include "common/clock.h"
#include "common/hash.h"
#include "server/cache/cache.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A lock inside an atomic would be in one process only. */
_Static_assert(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_CHAR_LOCK_FREE == 2, "no atomics");

#define CACHE_LINE 64
#define CACHE_MAGIC 0x6663686364686366u
/* Raised whenever the words mean something else; what has a size or a place is in the
 * stamp anyway. */
#define CACHE_VERSION 2

/* All that is shared and has a name; the rest are arrays of words. */
struct region_head {
    _Atomic uint64_t magic;
    _Atomic uint64_t version;
    _Atomic uint64_t layout; /* hash of every size and place, see region.c */
    _Atomic uint64_t k0;     /* the hash key */
    _Atomic uint64_t k1;
    alignas(CACHE_LINE) _Atomic uint64_t flushed; /* a checked time */
};

/* One fetch under way; see lease.c. */
struct shared_lease {
    _Atomic uint64_t word;
    _Atomic uint64_t proof;
    _Atomic uint64_t asked_at;
    _Atomic uint64_t waiters;
};

/* A ring of entries: 'used' bytes from 'tail' on, around the end. */
struct ring {
    _Atomic uint64_t tail;
    _Atomic uint64_t used;
};

enum ring_name {
    RING_SMALL,
    RING_MAIN,
    RINGS,
};

struct shard {
    _Atomic uint64_t lock; /* 0: free; else a holder's word, see region.c */
    _Atomic uint64_t seq;  /* the last sequence number given; even */
    struct ring rings[RINGS];
    _Atomic uint64_t entries;
    _Atomic uint64_t evictions;
    _Atomic uint64_t stored;
    _Atomic uint64_t not_stored;
    _Atomic uint64_t refused;
    _Atomic uint64_t wiped;
    _Atomic uint64_t forgotten; /* bytes that became ghosts */
    _Atomic uint64_t spare[3];
};

/* Seven entries' places and, in the same line, how often each was read of late: a reader
 * that writes its one byte has the line already. */
#define INDEX_SLOTS 7
#define SET_LINES 4 /* where a key may be */
#define VISITS_MAX 7

struct index_line {
    _Atomic uint64_t slots[INDEX_SLOTS];
    _Atomic uint8_t visits[8];
};

/* An index slot: 0, or where the entry is and how to tell it is worth looking at.
 *     place in units 31 | pending 1 | tag 24 | lines 7 | parity 1
 * Pending entries are seen by invalidations alone: not by readers yet.  The parity is
 * even: a slot whose tag lost a bit would hide from an invalidation, and be back when
 * the bit is. */
#define SLOT_PENDING ((uint64_t)1 << 32)
#define SLOT_PENDING_FLIP (SLOT_PENDING | 1) /* xor: keeps the parity */
#define SLOT_TAG_MASK 0xffffffu
#define SLOT_LINES_MAX 127u

#define UNIT 8 /* entries begin at multiples of it */

static inline uint64_t
slot_make(size_t place, uint64_t hash, size_t bytes)
{
    size_t lines = (bytes + CACHE_LINE - 1) / CACHE_LINE;
    uint64_t slot = (uint64_t)(place / UNIT) << 33 | (hash & SLOT_TAG_MASK) << 8 |
                    (lines < SLOT_LINES_MAX ? lines : SLOT_LINES_MAX) << 1;

    return slot | (unsigned)__builtin_parityll(slot);
}

static inline size_t
slot_place(uint64_t slot)
{
    return (size_t)(slot >> 33) * UNIT;
}

static inline size_t
slot_lines(uint64_t slot)
{
    return slot >> 1 & SLOT_LINES_MAX;
}

static inline bool
slot_matches(uint64_t slot, uint64_t hash)
{
    return slot != 0 && ((slot >> 8) & SLOT_TAG_MASK) == (hash & SLOT_TAG_MASK);
}

/* A slot that no writer left like that. */
static inline bool
slot_broken(uint64_t slot)
{
    return __builtin_parityll(slot) != 0;
}

/* An entry's first words; the id, the form (of an item), the item and the marks with a sum
 * of their own follow, each padded with zeros to whole words.  The checksum covers the
 * source's fingerprint and all from 'sizes' on but the marks. */
enum entry_word {
    ENTRY_FRAME, /* check 32 | filler 1 | units 31: how to step over it */
    ENTRY_SEQ,   /* checksum 32 | sequence 32; odd: being written */
    ENTRY_SIZES, /* marks 16 | kind 8 | id 8 | item 32 */
    ENTRY_HASH,
    ENTRY_ASKED,
    ENTRY_WORDS,
};

#define ENTRY_HEAD_BYTES (ENTRY_WORDS * 8)

/* Where things are, in bytes from the region's (or the shard's) begin. */
struct geometry {
    size_t bytes;
    size_t capacity;
    size_t epochs;
    size_t beats;
    size_t inval;
    size_t ninval;
    size_t leases;
    size_t nleases;
    size_t shards;
    size_t nshards;
    size_t shard_bytes;
    size_t index; /* in the shard */
    size_t nsets;
    size_t ghosts;
    size_t nghosts; /* groups of GHOST_GROUP */
    size_t ring[RINGS];
    size_t ring_bytes[RINGS];
};

/* Where a test may stop or kill the process; see cache_hook. */
enum cache_point {
    CACHE_POINT_LOCKED,
    CACHE_POINT_WIPING,
    CACHE_POINT_EVICTING,
    CACHE_POINT_MOVING,
    CACHE_POINT_WRITING,
    CACHE_POINT_WRITTEN,
    CACHE_POINT_PENDING,
    CACHE_POINT_CHECKED,
    CACHE_POINT_CONFIRMED,
    CACHE_POINT_RAISED,
    CACHE_POINT_LEASED,
    CACHE_POINT_PROVED,
    CACHE_POINT_FINISHED,
    CACHE_POINTS,
};

struct checksum;

/* One process's view. */
struct cache {
    char *base;
    struct geometry at;
    struct hash_key hash_key;
    const struct checksum *checksum;
    bool joined;
    size_t slot;
    uint32_t epoch;   /* ours, when last looked at */
    usec_t beat_at;   /* our last, see lease.c */
    struct buf stage; /* where an entry is made before it is written */
    int region_fd;
    size_t nwake;
    int wake_fds[CACHE_FDS_MAX - 1];
    void (*hook)(void *arg, enum cache_point where); /* tests only; NULL: none */
    void *hook_arg;
};

static inline void
cache_hook(const struct cache *c, enum cache_point where)
{
    if (unlikely(c->hook != NULL))
        c->hook(c->hook_arg, where);
}

static inline struct region_head *
region_head(const struct cache *c)
{
    return (struct region_head *)(void *)c->base;
}

static inline _Atomic uint64_t *
region_words(const struct cache *c, size_t at)
{
    return (_Atomic uint64_t *)(void *)(c->base + at);
}

static inline struct shard *
region_shard(const struct cache *c, size_t i)
{
    return (struct shard *)(void *)(c->base + c->at.shards + i * c->at.shard_bytes);
}

static inline uint64_t
word_get(const _Atomic uint64_t *w)
{
    return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void
word_set(_Atomic uint64_t *w, uint64_t value)
{
    atomic_store_explicit(w, value, memory_order_relaxed);
}

static inline void
word_add(_Atomic uint64_t *w, uint64_t n)
{
    atomic_fetch_add_explicit(w, n, memory_order_relaxed);
}

/* The thread sanitizer knows no fences; what they order are atomics, which it never
 * reports. */
#if defined(__SANITIZE_THREAD__)
#define fence(order) ((void)(order))
#else
#define fence(order) atomic_thread_fence(order)
#endif

/* Spreads 'x' over 64 bits; what a flipped bit in a word does to its check bits. */
static inline uint64_t
word_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

#endif
