/*
 * draw.c - whose ids the next batch takes.
 *
 * Flows give one id each in turn until the batch is full.  That alone does not make a
 * small request quick beside large ones: it waits for the statement that is under way,
 * full of another's ids, and for its own, which the others fill up (five ids beside a
 * flood: 0.6 ms instead of 0.15, measured).  So while anybody asks for few, whoever asks
 * for many has a part of each batch: as many ids as make it take half as long again.
 * Beside a database that is far away that is many, beside one on the same machine
 * loader.shared_batch.  When nobody else asks for few, batches are as full as ever, and so
 * they are when a crowd asks for many.
 */
#include "server/source/batch.h"

/* Who asks for no more than this at once asks for few. */
#define FEW 16

/* A batch of no more than this shows what a batch takes beside its ids. */
#define BARE 8

/* So long is remembered who asked for few, and who for many. */
#define MEMORY (1 * USEC_PER_SEC)

/* A batch in the making. */
struct draw {
    struct loader *loader;
    struct batch *batch;
    usec_t now;
    struct list aside; /* flows that have had their part */
};

void
draw_note(struct loader *l, size_t n, usec_t took)
{
    struct source_crowd *crowd = l->source->crowd;
    uint64_t id_ns;

    if (crowd == NULL)
        return;
    if (n <= BARE) {
        /* rather the short ones: what is late is late for other reasons */
        if (crowd->few_took == 0)
            crowd->few_took = took;
        else if (took < crowd->few_took)
            crowd->few_took -= (crowd->few_took - took) / 4;
        else
            crowd->few_took += (took - crowd->few_took) / 32;
    } else if (crowd->few_took != 0) {
        id_ns = took > crowd->few_took ? (took - crowd->few_took) * 1000 / n : 1;
        crowd->id_ns = crowd->id_ns == 0 ? id_ns : (crowd->id_ns * 7 + id_ns) / 8 + 1;
    }
}

/* What one who asks for many has of a batch. */
static size_t
draw_part(const struct loader *l)
{
    const struct source_crowd *crowd = l->source->crowd;
    uint64_t n = crowd->id_ns == 0 ? 0 : crowd->few_took * 1000 / crowd->id_ns / 2;

    return n > l->shared_batch ? n : l->shared_batch;
}

/* What is refreshed behind counts as much: nobody waits for it. */
static bool
flow_is_large(struct loader_flow *flow, const struct draw *d)
{
    if (flow->asked > FEW)
        flow->large_until = d->now + MEMORY;
    return flow == &d->loader->own || d->now < flow->large_until;
}

/* Has it had its part of this batch?  Counts the next id if not. */
static bool
flow_had_part(struct loader_flow *flow, struct draw *d)
{
    struct source_crowd *crowd = d->loader->source->crowd;

    if (crowd == NULL)
        return false;
    if (!flow_is_large(flow, d)) {
        crowd->small_until = d->now + MEMORY;
        crowd->small = flow;
        return false;
    }
    if (flow->drew != d->loader->draws) {
        flow->drew = d->loader->draws;
        flow->drawn = 0;
    }
    return flow->drawn++ >= draw_part(d->loader) && d->now < crowd->small_until &&
           crowd->small != flow;
}

/* The next id of the first flow; the flow goes to the end of the ring. */
static void
draw_one(struct draw *d)
{
    struct loader *l = d->loader;
    struct loader_flow *flow = CONTAINER_OF(l->ring.next, struct loader_flow, ring);
    struct list *node;
    struct want *want;

    list_remove(&flow->ring);
    if (list_empty(&flow->waiters))
        return;
    if (flow_had_part(flow, d)) {
        list_append(&d->aside, &flow->ring);
        return;
    }
    node = list_pop(&flow->waiters);
    if (!list_empty(&flow->waiters))
        list_append(&l->ring, &flow->ring);
    want = CONTAINER_OF(node, struct loader_waiter, in_flow)->want;
    if (want->batch != NULL)
        return;
    want_count_queued(l, -1);
    batch_add(d->batch, want);
}

struct batch *
loader_draw(struct loader *l, size_t max)
{
    struct draw d = { .loader = l, .batch = batch_new(l, max), .now = clock_now() };

    if (d.batch == NULL)
        return NULL;
    list_init(&d.aside);
    l->draws++;
    while (d.batch->n < max && !list_empty(&l->ring))
        draw_one(&d);
    if (d.batch->n < max && !list_empty(&d.aside))
        metrics_add(l->metrics, METRIC_statements_shared, 1);
    list_splice(&l->ring, &d.aside);
    if (d.batch->n > 0)
        return d.batch;
    batch_free(d.batch);
    return NULL;
}
