/*
 * batch.c - ids on their way to the source and back.
 *
 * Owns: what a source may ask of and say about its batch.  What becomes of the wants
 * afterwards is the loader's judgement (batch_done, in loader.c).
 */
#include "server/source/batch.h"

#include <assert.h>
#include <stdlib.h>

#define BUDGET_MIN (1 * USEC_PER_MSEC)

struct batch *
batch_new(struct loader *loader, size_t n)
{
    struct batch *b = malloc(sizeof(*b) + n * sizeof(b->places[0]));

    if (b == NULL)
        return NULL;
    if ((b->pack = item_pack_new()) == NULL) {
        free(b);
        return NULL;
    }
    list_init(&b->link);
    b->loader = loader;
    b->tries = 0;
    b->sent_at = 0;
    b->n = 0;
    b->settled = 0;
    return b;
}

void
batch_free(struct batch *batch)
{
    list_remove(&batch->link);
    item_pack_unref(&batch->pack);
    free(batch);
}

void
batch_add(struct batch *batch, struct want *want)
{
    want->batch = batch;
    want->place = (uint32_t)batch->n;
    batch->places[batch->n++] = (struct batch_place){ want, 0, 0, ITEM_OPEN };
}

size_t
batch_size(const struct batch *batch)
{
    return batch->n;
}

struct span
batch_id(const struct batch *batch, size_t i)
{
    return span_of(batch->places[i].want->id, batch->places[i].want->id_len);
}

usec_t
batch_budget(const struct batch *batch, usec_t now)
{
    usec_t latest = now + BUDGET_MIN;
    struct list *node, *after;
    size_t i;

    for (i = 0; i < batch->n; i++) {
        LIST_EACH_SAFE (node, after, &batch->places[i].want->waiters) {
            const struct loader_waiter *w =
                CONTAINER_OF(node, struct loader_waiter, in_want);

            if (w->deadline > latest)
                latest = w->deadline;
        }
    }
    return latest - now;
}

long
batch_find(const struct batch *batch, struct span id)
{
    const struct loader *l = batch->loader;
    uint64_t hash = hash_bytes(&l->hash_key, id);
    struct map_node *node;

    for (node = map_first(&l->wants, hash); node != NULL; node = map_next(node, hash)) {
        const struct want *want = CONTAINER_OF(node, struct want, node);

        if (want->batch == batch && span_equal(id, span_of(want->id, want->id_len)))
            return (long)want->place;
    }
    return -1;
}

struct buf *
batch_bytes(struct batch *batch)
{
    return &batch->pack->bytes;
}

void
batch_item(struct batch *batch, size_t i, size_t off)
{
    struct batch_place *place = &batch->places[i];

    assert(i < batch->n && off <= batch->pack->bytes.len);
    place->status = ITEM_FOUND;
    place->off = off;
    place->len = batch->pack->bytes.len - off;
}

void
batch_fail(struct batch *batch, size_t i, enum item_status status)
{
    assert(i < batch->n && item_failed(status));
    batch->places[i].status = status;
}

bool
batch_is_open(const struct batch *batch, size_t i)
{
    assert(i < batch->n);
    return batch->places[i].status == ITEM_OPEN;
}
