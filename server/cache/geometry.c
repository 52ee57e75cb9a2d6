/*
 * geometry.c - how a region of so many bytes is divided.
 *
 * Shards of 4 MiB or more: an item of 1 MiB must find room in a ring, and 9,000 items of
 * 450 bytes are enough for their eviction to be as good as that of one large ring.
 * At most 256: beyond that writers do not meet any more.
 *
 * The table of invalidation times is asked about queries under way, not about entries
 * (an invalidation drops those), so what a collision costs is one put: with 1,000
 * invalidations a second, queries of 10 ms and the 32,768 times of a 64 MiB region, one
 * put in 3,300 is refused for another key's sake, and its item is fetched once more.  If
 * readers compared entries with the table instead, an entry would be lost to other keys'
 * invalidations every 33 s; the table that keeps this under 0.1 % of the hits of items
 * that live for 60 s has 60 million times, half a gigabyte.
 */
#include "server/cache/geometry.h"

/* Shards and sets begin at multiples of it. */
#define SET_BYTES (SET_LINES * sizeof(struct index_line))
#define SHARD_BYTES ((size_t)4 << 20)
#define SHARDS_MAX 256
/* One index slot for so many bytes of entries.  With entries of 350 bytes the index is 63 %
 * full, and one set in 150 overflows (its least read entry goes); with smaller ones the
 * index decides how many there are. */
#define BYTES_A_SLOT 220
#define BYTES_A_GHOST 512
#define SMALL_PART 32

static size_t
round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The largest power of two that is not above n; at least 'min', at most 'max'. */
static size_t
power_within(size_t n, size_t min, size_t max)
{
    size_t p = min;

    while (p * 2 <= n && p * 2 <= max)
        p *= 2;
    return p;
}

static void
divide_shard(struct geometry *g)
{
    size_t data = g->shard_bytes - SET_BYTES, line = CACHE_LINE, room;

    g->nsets = data / (SET_LINES * INDEX_SLOTS * BYTES_A_SLOT);
    g->nghosts = data / (BYTES_A_GHOST * GHOST_GROUP);
    g->index = round_up(sizeof(struct shard), SET_BYTES);
    g->ghosts = g->index + g->nsets * SET_BYTES;
    g->ring[RING_SMALL] = g->ghosts + g->nghosts * line;
    /* A line is left behind the last ring: an entry's head is looked at before it is
     * known to be one. */
    room = (g->shard_bytes - g->ring[RING_SMALL]) / line * line - line;
    g->ring_bytes[RING_SMALL] = room / SMALL_PART / line * line;
    g->ring_bytes[RING_MAIN] = room - g->ring_bytes[RING_SMALL];
    g->ring[RING_MAIN] = g->ring[RING_SMALL] + g->ring_bytes[RING_SMALL];
}

void
geometry_make(struct geometry *g, size_t bytes, size_t capacity)
{
    memset(g, 0, sizeof(*g));
    if (bytes < CACHE_BYTES_MIN)
        bytes = CACHE_BYTES_MIN;
    g->capacity = capacity < CACHE_CAPACITY_MAX ? capacity : CACHE_CAPACITY_MAX;
    g->bytes = bytes / 4096 * 4096;
    g->ninval = power_within(g->bytes / 2048, 1024, 65536);
    g->nleases = power_within(g->bytes / 4096, 256, 16384);
    g->nshards = power_within(g->bytes / SHARD_BYTES, 1, SHARDS_MAX);
    g->epochs = round_up(sizeof(struct region_head), CACHE_LINE);
    g->beats = round_up(g->epochs + g->capacity * sizeof(uint64_t), CACHE_LINE);
    g->inval = round_up(g->beats + g->capacity * sizeof(uint64_t), CACHE_LINE);
    g->leases = g->inval + g->ninval * sizeof(uint64_t);
    g->shards = round_up(g->leases + g->nleases * sizeof(struct shared_lease), 4096);
    g->shard_bytes = (g->bytes - g->shards) / g->nshards / SET_BYTES * SET_BYTES;
    divide_shard(g);
}

static uint64_t
stamp_add(uint64_t h, size_t n)
{
    return word_mix(h ^ n) + 0x9e3779b97f4a7c15u;
}

uint64_t
geometry_stamp(const struct geometry *g)
{
    const size_t facts[] = {
        CACHE_VERSION,
        g->bytes,
        g->capacity,
        g->epochs,
        g->beats,
        g->inval,
        g->ninval,
        g->leases,
        g->nleases,
        g->shards,
        g->nshards,
        g->shard_bytes,
        g->index,
        g->nsets,
        g->ghosts,
        g->nghosts,
        g->ring[RING_SMALL],
        g->ring[RING_MAIN],
        g->ring_bytes[RING_SMALL],
        g->ring_bytes[RING_MAIN],
        sizeof(struct region_head),
        offsetof(struct region_head, flushed),
        sizeof(struct shared_lease),
        sizeof(struct shard),
        offsetof(struct shard, rings),
        offsetof(struct shard, entries),
        sizeof(struct index_line),
        offsetof(struct index_line, visits),
        INDEX_SLOTS,
        SET_LINES,
        UNIT,
        ENTRY_WORDS,
        GHOST_GROUP,
        CACHE_ITEM_MAX,
        CACHE_MARKS_MAX,
    };
    uint64_t h = CACHE_MAGIC;
    size_t i;

    for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        h = stamp_add(h, facts[i]);
    return h;
}
