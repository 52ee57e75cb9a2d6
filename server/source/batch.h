/*
 * batch.h - a batch from the inside, for the loader alone.
 *
 * Owns: the shape of wants and batches.  Sources see neither; they use loader.h.
 *
 * A want is queued (batch == NULL, its waiters stand in flows) or in a batch; a batch
 * is in flight at the source or waits in the loader to be asked again.
 */
#ifndef SERVER_SOURCE_BATCH_H
#define SERVER_SOURCE_BATCH_H

#include "common/hash.h"
#include "common/map.h"
#include "server/source/loader.h"

#include <stdint.h>

struct want {
    struct map_node node; /* in loader.wants */
    struct loader *loader;
    struct list waiters;
    struct batch *batch;
    uint32_t place; /* in the batch */
    uint32_t id_len;
    char id[];
};

struct batch_place {
    struct want *want;
    size_t off; /* of the item in the pack */
    size_t len;
    enum item_status status; /* ITEM_OPEN until known */
};

struct batch {
    struct list link; /* on loader.retries while it waits to be asked again */
    struct loader *loader;
    struct item_pack *pack;
    unsigned tries; /* how often it was lost before */
    size_t n;
    struct batch_place places[];
};

struct loader {
    struct source *source;
    struct metrics *metrics;
    size_t max_batch;
    struct hash_key hash_key;
    struct map wants;
    struct list ring;    /* flows with queued waiters */
    struct list retries; /* batches to ask again, first of all */
    size_t queued;       /* wants with no batch */
    size_t in_flight;    /* batches at the source */
};

/* A batch with room for 'n' wants and an empty pack; NULL: no memory. */
struct batch *batch_new(struct loader *loader, size_t n) MUST_CHECK;
void batch_free(struct batch *batch);

/* Puts a want at the end of the batch. */
void batch_add(struct batch *batch, struct want *want);

#endif
