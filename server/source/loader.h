/*
 * loader.h - many wants, few fetches.
 *
 * Owns: the wants of one source in this worker, queued and in flight.
 * Promises: every waiter hears exactly once, or is cancelled by its owner; no answer
 * arrives inside the call that asked; the same id is asked once at a time.
 * Never knows: clients, requests, dialects.
 *
 *     loader_want --> flow (one per client) --+   end of turn, source has room
 *     loader_want --> flow ------------------ +--round robin--> batch --> source
 *     waiter->answered <------------------------ batch_done <----------------+
 */
#ifndef SERVER_SOURCE_LOADER_H
#define SERVER_SOURCE_LOADER_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/list.h"
#include "common/span.h"
#include "server/item/pack.h"
#include "server/item/result.h"
#include "server/source/source.h"
#include "server/stats/metrics.h"

#include <stdbool.h>
#include <stddef.h>

struct loader;
struct lookup;
struct want;

/* One client's queue at one loader; batches draw from the flows in turn, so that a
 * request of 10,000 ids does not make everyone else wait. */
struct loader_flow {
    struct list waiters;
    struct list ring;   /* on the loader while 'waiters' is not empty */
    size_t asked;       /* ids it queued since it was last empty */
    usec_t large_until; /* it asked for many, lately */
    uint64_t drew;      /* the last batch of the loader that it gave ids, */
    size_t drawn;       /* and how many */
};

/* Somebody who waits for one id.  Lives in the asker's memory. */
struct loader_waiter {
    struct list in_want;
    struct list in_flow;
    struct want *want;        /* NULL: not waiting */
    struct loader_flow *flow; /* where it queues; loader_want remembers it */
    usec_t deadline;
    unsigned max_age_ms; /* takes nothing older than this; 0: no bound */
    bool fresh;          /* joins no statement that was sent before it asked */
    /* Set before 'answered': who knew it (enum item_origin), and how old it is. */
    unsigned char origin;
    unsigned age_ms;
    /* Called once.  'json' points into 'pack' (take a reference to keep it); both are
     * empty unless 'status' is ITEM_FOUND. */
    void (*answered)(struct loader_waiter *w, enum item_status status, struct span json,
                     struct item_pack *pack);
};

/* Ids on their way to the source and back. */
struct batch;

struct loader_limits {
    size_t max_batch;
    size_t shared_batch; /* see draw.c; without a crowd at the source it means nothing */
};

/* NULL: no memory.  'source', 'metrics' are borrowed and outlive the loader. */
struct loader *loader_new(struct source *source, const struct loader_limits *limits,
                          struct metrics *metrics) MUST_CHECK;

/* Only when no batch is in flight (close the source first); cancels nobody. */
void loader_free(struct loader **loader);

void loader_flow_init(struct loader_flow *flow);

/* Before a flow's memory goes; its waiters were cancelled or answered. */
void loader_flow_fini(struct loader_flow *flow);

/* Asks for 'id' (in the source's canonical form) on behalf of 'w', whose deadline and
 * callback are set.  -1: no memory, and 'w' will hear nothing. */
int loader_want(struct loader *loader, struct loader_flow *flow, struct span id,
                struct loader_waiter *w) MUST_CHECK;

/* 'w' no longer waits; it will hear nothing.  Harmless when it waits for nothing. */
void loader_cancel(struct loader_waiter *w);

/* End of the turn: sends what was wanted as far as the source has room, or fails it
 * when the source is down.  true: something was sent.  Answers of wants that fail arrive
 * from here. */
bool loader_flush(struct loader *loader);

/* Has something come back that is not settled yet? */
bool loader_settling(const struct loader *loader) MUST_CHECK;

/* Keeps and tells the next 'n' of what came back; the first of each batch were as it came.
 * Answers arrive from here. */
void loader_settle(struct loader *loader, size_t n);

/* What its source says is kept, and each id is fetched by one worker at a time.  Borrowed,
 * and outlives the loader. */
void loader_use_lookup(struct loader *loader, const struct lookup *lookup);

/* What it was given; NULL: nothing. */
const struct lookup *loader_lookup(const struct loader *loader);

/* Fetches an id that was shown STALE, behind; not when somebody does it already. */
void loader_refresh(struct loader *loader, struct span id, usec_t now);

/* A lease of another worker ended or expired, perhaps: goes on with what waited for it.
 * Answers arrive from here. */
void loader_wake(struct loader *loader, usec_t now);

/* When loader_wake is due even if nobody wakes; 0: never. */
usec_t loader_recheck_at(const struct loader *loader);

/* May other workers wait for what it fetches?  Then they must hear that this one lives. */
bool loader_leases(const struct loader *loader) MUST_CHECK;

/* Does anything wait for a statement? */
bool loader_idle(const struct loader *loader);

/* --- for sources --- */

size_t batch_size(const struct batch *batch);

/* The i-th id; valid until batch_done. */
struct span batch_id(const struct batch *batch, size_t i);

/* How long its waiters wait at most, from now; at least 1 ms. */
usec_t batch_budget(const struct batch *batch, usec_t now);

/* The batch's place for this id; -1: it asked for no such id. */
long batch_find(const struct batch *batch, struct span id) MUST_CHECK;

/* Where the batch's items are composed: append one, then say whose it was. */
struct buf *batch_bytes(struct batch *batch);

/* The bytes from 'off' to the end of batch_bytes are the item of place 'i'. */
void batch_item(struct batch *batch, size_t i, size_t off);

/* Place 'i' failed alone. */
void batch_fail(struct batch *batch, size_t i, enum item_status status);

enum batch_outcome {
    BATCH_COMPLETE, /* every row came: what has no item does not exist */
    BATCH_FAILED,   /* refused as a whole for a reason that asking again won't mend */
    BATCH_LOST,     /* the connection went away: worth asking once more */
    BATCH_CUT,      /* ... while rows came: one of them may be what breaks it */
    BATCH_TIMEOUT, /* took longer than its budget: asked again for those with time left */
    BATCH_REFUSED, /* one of its ids is not acceptable: ask again in halves */
    BATCH_TOOBIG,  /* one of its rows does not fit: ask again in halves */
};

/* Is nothing known of place 'i' yet? */
bool batch_is_open(const struct batch *batch, size_t i);

/* The batch is over; it is freed and its waiters are told, if it is large and complete the
 * last of them later, see loader_settle.  Not from source->fetch. */
void batch_done(struct batch *batch, enum batch_outcome outcome, usec_t now);

#endif
