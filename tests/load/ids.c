/*
 * ids.c - which items to ask for next.
 *
 * The set is an open-addressing table at most half full.  A slot belongs to the
 * current request only if it carries the current round's number, so starting a new
 * request costs one increment instead of a wipe.
 */
#include "tests/load/ids.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct slot {
    uint32_t id;
    uint32_t round;
};

struct ids {
    uint64_t state;
    uint32_t range;
    uint32_t round;
    size_t max;
    size_t mask;
    struct slot *slots;
};

struct ids *
ids_new(uint64_t seed, uint32_t range, size_t max)
{
    struct ids *ids;
    size_t size = 4;

    assert(max <= range);
    while (size < 2 * max)
        size *= 2;
    if ((ids = calloc(1, sizeof(*ids))) == NULL)
        return NULL;
    if ((ids->slots = calloc(size, sizeof(*ids->slots))) == NULL) {
        free(ids);
        return NULL;
    }
    ids->state = seed;
    ids->range = range;
    ids->max = max;
    ids->mask = size - 1;
    return ids;
}

void
ids_free(struct ids **ids)
{
    if (*ids != NULL)
        free((*ids)->slots);
    free(*ids);
    *ids = NULL;
}

/* splitmix64 (Steele, Lea, Flood 2014): one addition and a mixer, full period. */
static uint64_t
next_random(struct ids *ids)
{
    uint64_t z = ids->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* True if 'id' is new in this round; it is remembered. */
static bool
claim(struct ids *ids, uint32_t id)
{
    size_t i = (size_t)(id * UINT32_C(2654435761)) & ids->mask;

    while (ids->slots[i].round == ids->round) {
        if (ids->slots[i].id == id)
            return false;
        i = (i + 1) & ids->mask;
    }
    ids->slots[i] = (struct slot){ id, ids->round };
    return true;
}

void
ids_draw(struct ids *ids, uint32_t *out, size_t n)
{
    size_t i = 0;

    assert(n <= ids->max);
    if (++ids->round == 0) {
        for (i = 0; i <= ids->mask; i++)
            ids->slots[i].round = 0;
        ids->round = 1;
        i = 0;
    }
    while (i < n) {
        /* the high 32 bits, scaled: no division, bias below 2^-12 for 1M ids */
        uint32_t id = (uint32_t)((next_random(ids) >> 32) * ids->range >> 32) + 1;

        if (claim(ids, id))
            out[i++] = id;
    }
}
