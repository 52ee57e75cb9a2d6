/*
 * ring.c - where entries lie, and which of them make room.
 *
 * S3-FIFO (Yang et al., SOSP 2023) on two logs: the queues of the algorithm are the
 * rings of bytes themselves, so there is nothing to link, nothing to fragment, and any
 * size fits as well as any other.
 *
 *     new ------------> [small ring, 1/32] --read again--> [main ring] <--------+
 *                              |                                 |              |
 *                       not: ghost, gone                   read again: moves to its head
 *     new, ghost known -------------------------------->   not: gone
 *
 * Its figures are not those of the paper (1/10, three reads counted, as many ghosts as
 * entries) but the best of those tried with build/bench/bench_policies.
 *
 * An entry that was replaced elsewhere or invalidated stays in its ring, dead, until the
 * tail comes by.  An entry never goes around a ring's end: a filler does.
 */
#include "server/cache/ring.h"

#include "common/compiler.h"
#include "server/cache/entry.h"
#include "server/cache/geometry.h"
#include "server/cache/times.h"

/* Entries moved on before the evictor takes whatever comes next: a writer must not carry
 * a whole ring around while it holds the lock. */
#define MOVES_MAX 64
/* Ghosts are remembered until three quarters of a shard's bytes have gone the same way. */
#define GHOST_PARTS 256
#define GHOST_PARTS_KEPT 192

/* One ring, its ends read once and written back at every step. */
struct ring_view {
    const struct shard_view *v;
    enum ring_name name;
    size_t base;
    size_t bytes;
    size_t tail;
    size_t used;
};

/* False: its ends make no sense. */
static bool
ring_open(struct ring_view *r, const struct shard_view *v, enum ring_name name)
{
    const struct ring *ring = &v->shard->rings[name];

    r->v = v;
    r->name = name;
    r->base = v->c->at.ring[name];
    r->bytes = v->c->at.ring_bytes[name];
    r->tail = word_get(&ring->tail);
    r->used = word_get(&ring->used);
    return r->tail < r->bytes && r->used <= r->bytes && r->tail % UNIT == 0 &&
           r->used % UNIT == 0;
}

static void
ring_publish(const struct ring_view *r)
{
    struct ring *ring = &r->v->shard->rings[r->name];

    word_set(&ring->tail, r->tail);
    word_set(&ring->used, r->used);
}

static size_t
ring_head(const struct ring_view *r)
{
    size_t head = r->tail + r->used;

    return head < r->bytes ? head : head - r->bytes;
}

/* Takes 'bytes' at the head, with a filler before them when they would go around the
 * end; 0: no room. */
static size_t
ring_take(struct ring_view *r, size_t bytes)
{
    size_t head = ring_head(r), rest = r->bytes - head;
    size_t fill = bytes <= rest ? 0 : rest;

    if (r->bytes - r->used < fill + bytes)
        return 0;
    if (fill > 0) {
        word_set(shard_words(r->v, r->base + head) + ENTRY_FRAME,
                 frame_make(fill, true, 0));
        head = 0;
    }
    r->used += fill + bytes;
    ring_publish(r);
    return r->base + head;
}

static void
ring_drop_tail(struct ring_view *r, size_t bytes)
{
    r->tail = r->tail + bytes < r->bytes ? r->tail + bytes : r->tail + bytes - r->bytes;
    r->used -= bytes;
    ring_publish(r);
}

/* --- ghosts: half-words in groups, the latest first --- */

static _Atomic uint32_t *
ghost_group(const struct shard_view *v, uint64_t hash)
{
    size_t group = (size_t)((hash >> 24 & 0xffffffff) * v->c->at.nghosts >> 32);

    return (_Atomic uint32_t *)(void *)(v->base + v->c->at.ghosts) + group * GHOST_GROUP;
}

/* name 20 | when 12: in parts of what the rings hold. */
static uint32_t
ghost_name(uint64_t hash)
{
    return ((uint32_t)hash | 1) << 12;
}

static uint32_t
ghost_now(const struct shard_view *v)
{
    size_t part =
        (v->c->at.ring_bytes[RING_SMALL] + v->c->at.ring_bytes[RING_MAIN]) / GHOST_PARTS;

    return (uint32_t)(word_get(&v->shard->forgotten) / part);
}

static void
ghost_add(const struct shard_view *v, uint64_t hash, size_t bytes)
{
    _Atomic uint32_t *group = ghost_group(v, hash);
    size_t i;

    word_add(&v->shard->forgotten, bytes);
    for (i = GHOST_GROUP - 1; i > 0; i--)
        atomic_store_explicit(&group[i],
                              atomic_load_explicit(&group[i - 1], memory_order_relaxed),
                              memory_order_relaxed);
    atomic_store_explicit(&group[0], ghost_name(hash) | (ghost_now(v) & 0xfff),
                          memory_order_relaxed);
}

/* Was it sent away of late?  Asked once: it is forgotten now. */
static bool
ghost_take(const struct shard_view *v, uint64_t hash)
{
    _Atomic uint32_t *group = ghost_group(v, hash);
    uint32_t ghost;
    size_t i;

    for (i = 0; i < GHOST_GROUP; i++) {
        ghost = atomic_load_explicit(&group[i], memory_order_relaxed);
        if (ghost >> 12 == ghost_name(hash) >> 12) {
            atomic_store_explicit(&group[i], 0, memory_order_relaxed);
            return ((ghost_now(v) - ghost) & 0xfff) < GHOST_PARTS_KEPT;
        }
    }
    return false;
}

/* --- eviction --- */

/* The entry at a ring's tail. */
struct victim {
    size_t place;
    size_t bytes;
    uint64_t hash;
    usec_t asked_at;
    _Atomic uint64_t *slot; /* NULL: dead, no slot leads there */
    _Atomic uint8_t *visits;
    uint64_t word;
};

enum tail_state {
    TAIL_EMPTY,
    TAIL_ENTRY,
    TAIL_BROKEN,
};

static void
victim_find_slot(struct victim *victim, const struct shard_view *v)
{
    struct index_line *line = shard_line(v, victim->hash);
    size_t i;

    victim->slot = NULL;
    for (i = 0; i < SET_SLOTS; i++) {
        _Atomic uint64_t *slot = set_slot(line, i);
        uint64_t word = atomic_load_explicit(slot, memory_order_acquire);

        if (word != 0 && slot_place(word) == victim->place) {
            victim->slot = slot;
            victim->visits = set_visits(line, i);
            victim->word = word;
            return;
        }
    }
}

/* Steps over fillers to the entry at the tail. */
static enum tail_state
ring_tail(struct ring_view *r, struct victim *victim)
{
    const _Atomic uint64_t *entry;
    bool filler;

    while (r->used > 0) {
        victim->place = r->base + r->tail;
        entry = shard_words(r->v, victim->place);
        if (!frame_read(entry, &victim->bytes, &filler) || victim->bytes > r->used ||
            victim->bytes > r->bytes - r->tail ||
            (!filler && victim->bytes < ENTRY_HEAD_BYTES))
            return TAIL_BROKEN;
        if (!filler) {
            victim->hash = word_get(&entry[ENTRY_HASH]);
            victim->asked_at = word_get(&entry[ENTRY_ASKED]);
            victim_find_slot(victim, r->v);
            return TAIL_ENTRY;
        }
        ring_drop_tail(r, victim->bytes);
    }
    return TAIL_EMPTY;
}

/* How often it was read since it came or was last moved; what a flush has hidden does
 * not count. */
static uint8_t
victim_visits(const struct victim *victim, const struct shard_view *v)
{
    if (victim->slot == NULL || victim->asked_at <= times_flushed(v->c))
        return 0;
    return atomic_load_explicit(victim->visits, memory_order_relaxed);
}

/* Removes it from the index; its bytes are free when the tail has moved on. */
static void
victim_evict(const struct victim *victim, const struct shard_view *v)
{
    cache_hook(v->c, CACHE_POINT_EVICTING);
    if (slot_change(victim->slot, victim->word, 0)) {
        word_add(&v->shard->entries, (uint64_t)-1);
        word_add(&v->shard->evictions, 1);
    }
}

/* Copies the entry to 'to', which may overlap it from below.  Meanwhile it is pending:
 * not for readers, but an invalidation still finds it. */
static void
victim_move(const struct victim *victim, const struct shard_view *v, size_t to,
            uint8_t visits)
{
    const _Atomic uint64_t *from = shard_words(v, victim->place);
    _Atomic uint64_t *into = shard_words(v, to);
    uint64_t pending = victim->word ^ SLOT_PENDING_FLIP;
    size_t i;

    /* Was it invalidated just now?  Then it is moved all the same, dead: the ring must
     * be whole. */
    (void)slot_change(victim->slot, victim->word, pending);
    fence(memory_order_release);
    for (i = 0; i < victim->bytes / 8; i++) {
        word_set(&into[i], word_get(&from[i]));
        if (i == ENTRY_WORDS)
            cache_hook(v->c, CACHE_POINT_MOVING);
    }
    atomic_store_explicit(victim->visits, visits, memory_order_relaxed);
    (void)slot_change(victim->slot, pending, slot_make(to, victim->hash, victim->bytes));
}

/* Evicts from the main ring until 'bytes' fit at its head.  0: cannot. */
static size_t
main_room(struct ring_view *main, size_t bytes)
{
    struct victim victim;
    size_t place, moves = 0;
    uint8_t visits;

    while ((place = ring_take(main, bytes)) == 0) {
        if (ring_tail(main, &victim) != TAIL_ENTRY)
            return 0;
        ring_drop_tail(main, victim.bytes);
        if (victim.slot == NULL)
            continue;
        visits = victim_visits(&victim, main->v);
        place = 0;
        if (visits > 0 && moves++ < MOVES_MAX)
            place = ring_take(main, victim.bytes);
        if (place != 0)
            victim_move(&victim, main->v, place, (uint8_t)(visits - 1));
        else
            victim_evict(&victim, main->v); /* at the ring's end there may be no room */
    }
    return place;
}

/* Sends the small ring's tail on, or away.  False: broken. */
static bool
small_evict(struct ring_view *small, struct ring_view *main)
{
    struct victim victim;
    size_t place = 0;

    if (ring_tail(small, &victim) != TAIL_ENTRY)
        return false;
    if (victim_visits(&victim, small->v) > 0)
        place = main_room(main, victim.bytes);
    else if (victim.slot != NULL)
        place = ring_take(main, victim.bytes); /* room that nobody has used yet */
    if (place != 0) {
        victim_move(&victim, small->v, place, 0);
    } else if (victim.slot != NULL) {
        ghost_add(small->v, victim.hash, victim.bytes);
        victim_evict(&victim, small->v);
    }
    ring_drop_tail(small, victim.bytes);
    return true;
}

static size_t
try_room(const struct shard_view *v, uint64_t hash, size_t bytes, bool known)
{
    struct ring_view small, main;
    size_t place;

    if (!ring_open(&small, v, RING_SMALL) || !ring_open(&main, v, RING_MAIN))
        return 0;
    if (bytes > small.bytes / 2 || known || ghost_take(v, hash))
        return main_room(&main, bytes);
    while ((place = ring_take(&small, bytes)) == 0) {
        if (!small_evict(&small, &main))
            return 0;
    }
    return place;
}

size_t
ring_room(const struct shard_view *v, uint64_t hash, size_t bytes, bool known)
{
    size_t place;

    if (bytes > v->c->at.ring_bytes[RING_MAIN] / 2)
        return 0;
    place = try_room(v, hash, bytes, known);
    if (unlikely(place == 0)) {
        /* A ring gives room or is broken. */
        shard_wipe(v);
        word_add(&v->shard->wiped, 1);
        place = try_room(v, hash, bytes, known);
    }
    return place;
}

usec_t
ring_oldest(const struct shard_view *v)
{
    usec_t oldest = 0, asked;
    struct ring_view r;
    size_t name;

    for (name = 0; name < RINGS; name++) {
        if (!ring_open(&r, v, (enum ring_name)name) || r.used == 0 ||
            r.tail + ENTRY_HEAD_BYTES > r.bytes)
            continue;
        asked = word_get(shard_words(v, r.base + r.tail) + ENTRY_ASKED);
        if (oldest == 0 || asked < oldest)
            oldest = asked;
    }
    return oldest;
}
