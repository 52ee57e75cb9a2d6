/*
 * batch.h - a batch from the inside, for the loader alone.
 *
 * Owns: the shape of wants and batches.  Sources see neither; they use loader.h.
 *
 * A want is queued (its waiters stand in flows), or in a batch (batch != NULL; in flight
 * at the source or waiting in the loader to be asked again), or waits for the fetch of
 * another worker (it stands in loader.elsewhere).
 *
 *     new --lease is ours, or there is none--> queued --> in a batch --> answered
 *       +--another worker's--> elsewhere --its end, or death--^ ^
 *                                 +------- what it stored ------+
 */
#ifndef SERVER_SOURCE_BATCH_H
#define SERVER_SOURCE_BATCH_H

#include "common/hash.h"
#include "common/map.h"
#include "server/source/loader.h"
#include "server/source/lookup.h"

#include <stdint.h>

struct want {
    struct map_node node; /* in loader.wants */
    struct loader *loader;
    struct list waiters;
    struct list in_elsewhere;
    bool elsewhere; /* another worker fetches it */
    bool answering; /* its waiters are being told: not to be freed */
    struct batch *batch;
    struct lease lease; /* ours ('leased'), or the one it waits for */
    bool leased;        /* whoever waits in other workers must hear of the end */
    uint32_t place;     /* in the batch */
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
    struct list link; /* on loader.retries while it waits to be asked again, on
                         loader.settling when it came back whole */
    struct loader *loader;
    struct item_pack *pack;
    usec_t sent_at; /* 0: not sent yet, or about to be sent again */
    unsigned tries; /* how often it was lost before */
    size_t n;
    size_t settled; /* places before it, when it came back */
    struct batch_place places[];
};

struct loader {
    struct source *source;
    struct metrics *metrics;
    size_t max_batch;
    size_t shared_batch; /* see draw.c */
    uint64_t draws;      /* batches drawn */
    struct hash_key hash_key;
    struct map wants;
    struct list ring;            /* flows with queued waiters */
    struct list retries;         /* batches to ask again, first of all */
    struct list settling;        /* batches that came back, in that order */
    size_t queued;               /* wants that wait for a batch */
    const struct lookup *lookup; /* NULL: nothing is kept or shared */
    struct list elsewhere;       /* wants that wait for other workers */
    usec_t recheck_at;           /* when to look at the first of their leases; 0: never */
    size_t leased;               /* wants that others may wait for */
    struct list refreshers;      /* wants of nobody: stale items fetched anew */
    struct loader_flow own;      /* theirs */
    size_t in_flight;            /* batches at the source */
};

/* --- want.c: one id, and who waits for it --- */

/* What a waiter is told. */
struct want_news {
    enum item_status status;
    enum item_origin origin;
    usec_t age;
    struct span json; /* in 'pack' */
    struct item_pack *pack;
};

/* The want for this id that 'w' may join, if there is one. */
struct want *want_find(const struct loader *l, struct span id,
                       const struct loader_waiter *w) MUST_CHECK;

/* Queued, or elsewhere when 'shared' and another worker fetches the id already.  NULL: no
 * memory. */
struct want *want_new(struct loader *l, struct span id, bool shared) MUST_CHECK;

void want_join(struct want *want, struct loader_waiter *w);

/* Forgets a want without waiters; another worker may fetch what this one did not. */
void want_free(struct want *want);

void want_count_queued(struct loader *l, long delta);

/* It will be settled soon: begins to bring near what that looks at. */
void want_approach(const struct want *want);

/* The source has spoken: keeps it and tells other workers. */
void want_settle(struct want *want, enum item_status status, struct span json,
                 usec_t asked_at);

/* Tells every waiter and forgets the want. */
void want_answer(struct want *want, const struct want_news *news);
void waiter_answer(struct loader_waiter *w, const struct want_news *news);

/* --- draw.c --- */

/* Up to 'max' queued wants, one from each flow in turn; NULL: none is left, or no memory. */
struct batch *loader_draw(struct loader *l, size_t max) MUST_CHECK;

/* A batch of 'n' ids was answered whole after so long. */
void draw_note(struct loader *l, size_t n, usec_t took);

/* --- refresh.c --- */

void loader_stop_refreshing(struct loader *l);

/* --- batch.c --- */

/* A batch with room for 'n' wants and an empty pack; NULL: no memory. */
struct batch *batch_new(struct loader *loader, size_t n) MUST_CHECK;
void batch_free(struct batch *batch);

/* Puts a want at the end of the batch. */
void batch_add(struct batch *batch, struct want *want);

#endif
