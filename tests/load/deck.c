/*
 * deck.c - which items to ask for, request by request.
 *
 * Popular ids must not be neighbours in the table, or they would share its pages: the
 * rank of popularity is multiplied into an id by a step that has no divisor in common
 * with the number of ids, so each id has one rank.
 *
 * What keeps the ids of a request distinct is an open-addressing table at most half
 * full.  A slot belongs to the current request only if it carries the current round's
 * number, so starting a new request costs one increment instead of a wipe.
 */
#include "tests/load/deck.h"

#include "tests/load/zipf.h"

#include <stdbool.h>
#include <stdlib.h>

/* 8 MB: read in order, which a processor foresees. */
#define DECK_IDS ((size_t)2 << 20)

/* So often in a row an id may be in the request already; then its free neighbour is
 * taken.  Only a steep Zipf and many ids a request come to that. */
#define TAKEN_MAX 100

struct deck {
    size_t requests;
    size_t ids; /* in a request */
    size_t at;
    uint32_t cards[];
};

struct slot {
    uint32_t id;
    uint32_t round;
};

struct dealer {
    const struct plan *plan;
    struct zipf zipf;
    uint64_t state;
    uint32_t step;
    uint32_t round;
    size_t mask;
    struct slot *slots;
};

/* splitmix64 (Steele, Lea, Flood 2014): one addition and a mixer, full period. */
static uint64_t
next_random(struct dealer *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double
next_unit(struct dealer *d)
{
    return (double)(next_random(d) >> 11) * 0x1p-53;
}

static uint32_t
common_divisor(uint32_t a, uint32_t b)
{
    uint32_t rest;

    while (b != 0) {
        rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Near the golden section of 'n', where multiples spread best. */
static uint32_t
scatter_step(uint32_t n)
{
    uint32_t step = (uint32_t)((double)n * 0.6180339887) | 1;

    while (common_divisor(step, n) != 1)
        step++;
    return step;
}

static uint32_t
draw_popular(struct dealer *d)
{
    uint32_t rank;

    while (!zipf_try(&d->zipf, next_unit(d), &rank))
        continue;
    return (uint32_t)((uint64_t)(rank - 1) * d->step % d->plan->range) + 1;
}

static uint32_t
draw(struct dealer *d)
{
    const struct plan *plan = d->plan;
    uint32_t id;

    if (plan->zipf > 0)
        id = draw_popular(d);
    else
        /* the high 32 bits, scaled: no division, bias below 2^-12 for 1M ids */
        id = (uint32_t)((next_random(d) >> 32) * plan->range >> 32) + 1;
    if (plan->hits < 1 && next_unit(d) >= plan->hits)
        id += plan->rows;
    return id;
}

/* True if 'id' is new in this round; it is remembered. */
static bool
claim(struct dealer *d, uint32_t id)
{
    size_t i = (size_t)(id * UINT32_C(2654435761)) & d->mask;

    while (d->slots[i].round == d->round) {
        if (d->slots[i].id == id)
            return false;
        i = (i + 1) & d->mask;
    }
    d->slots[i] = (struct slot){ id, d->round };
    return true;
}

static void
draw_request(struct dealer *d, uint32_t *out)
{
    unsigned n = 0, taken = 0;
    uint32_t id = 0;

    d->round++;
    while (n < d->plan->ids) {
        id = taken < TAKEN_MAX ? draw(d) : id % d->plan->range + 1;
        if (claim(d, id)) {
            out[n++] = id;
            taken = 0;
        } else {
            taken++;
        }
    }
}

static int
deck_shuffle(struct deck *deck, const struct plan *plan)
{
    struct dealer d = { .plan = plan, .state = plan->seed };
    size_t size = 4, i;

    while (size < 2 * (size_t)plan->ids)
        size *= 2;
    if ((d.slots = calloc(size, sizeof(*d.slots))) == NULL)
        return -1;
    d.mask = size - 1;
    d.step = scatter_step(plan->range);
    zipf_init(&d.zipf, plan->range, plan->zipf);
    for (i = 0; i < deck->requests; i++)
        draw_request(&d, deck->cards + i * deck->ids);
    free(d.slots);
    return 0;
}

/* Every id in order; the last request is filled up from the beginning. */
static void
deck_line_up(struct deck *deck, uint32_t last)
{
    size_t i;

    for (i = 0; i < deck->requests * deck->ids; i++)
        deck->cards[i] = (uint32_t)(i % last) + 1;
}

static size_t
requests_needed(const struct plan *plan, uint32_t last)
{
    size_t all = plan->sweep ? last : DECK_IDS;
    size_t requests = (all + plan->ids - 1) / plan->ids;

    return plan->requests > 0 && plan->requests < requests ? plan->requests : requests;
}

struct deck *
deck_new(const struct plan *plan)
{
    uint32_t last = plan->hits < 1 ? plan->rows + plan->range : plan->range;
    size_t requests = requests_needed(plan, last);
    struct deck *deck =
        malloc(sizeof(*deck) + requests * plan->ids * sizeof(deck->cards[0]));

    if (deck == NULL)
        return NULL;
    deck->requests = requests;
    deck->ids = plan->ids;
    deck->at = 0;
    if (plan->sweep)
        deck_line_up(deck, last);
    else if (deck_shuffle(deck, plan) == -1)
        deck_free(&deck);
    return deck;
}

void
deck_free(struct deck **deck)
{
    free(*deck);
    *deck = NULL;
}

const uint32_t *
deck_deal(struct deck *deck)
{
    if (deck->at == deck->requests)
        deck->at = 0;
    return deck->cards + deck->at++ * deck->ids;
}

size_t
deck_requests(const struct deck *deck)
{
    return deck->requests;
}
