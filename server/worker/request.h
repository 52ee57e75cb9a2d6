/*
 * request.h - one command on its way to its answer.
 *
 * Owns: a place and a result for each key, the deadline, and the references to the items
 * the answer will show.  One allocation a request.
 * Promise: a request completes exactly once: when its last place is known or at its
 * deadline, whichever is first.
 */
#ifndef SERVER_WORKER_REQUEST_H
#define SERVER_WORKER_REQUEST_H

#include "common/compiler.h"
#include "common/heap.h"
#include "common/list.h"
#include "server/item/pack.h"
#include "server/item/result.h"
#include "server/protocol/protocol.h"
#include "server/source/loader.h"

#include "server/worker/forget.h"
#include "server/worker/look.h"

#include <stdbool.h>
#include <stddef.h>

struct client;
struct view_item;
struct worker;

struct request_place {
    struct loader_waiter waiter;
    struct view_item *item; /* what a view puts together for it; NULL: it is no view's */
    struct request *request;
};

#define REQUEST_PACKS_INLINE 4

struct request {
    struct list in_client;
    struct list in_plan;
    struct heap_node deadline;
    struct client *client;
    struct command command; /* its words are copies, in this block */
    usec_t arrived;
    usec_t answered;
    size_t n;
    size_t opened;  /* places [0, opened) are made, see request_open */
    size_t looked;  /* places [0, looked) were looked up */
    size_t planned; /* places [0, planned) are known or wanted */
    size_t open;    /* places not known yet */
    size_t bytes;   /* of the items so far, those that were too much included */
    size_t held;    /* of the request itself and the items that will be shown */
    bool complete;
    bool expired;                 /* at its deadline, not before */
    size_t partial;               /* items that lack a part which failed or was late */
    struct forgetting forgetting; /* what became of an invalidation */
    struct item_trace *traces;    /* NULL, or one for each place */
    uint32_t *due;                /* as_done: places in the order they became known */
    size_t ndue;
    size_t shown; /* of those, already said; else parts of the answer already said */
    void *kept;   /* by the dialect, between those parts */
    struct item_result *results;
    struct request_place *places;
    struct item_pack **packs;
    size_t npacks;
    size_t packs_cap;
    struct item_pack *packs_inline[REQUEST_PACKS_INLINE];
};

/* Copies what it needs of 'command' and puts the request on the client's list, the
 * worker's plan and the deadline heap.  NULL: no memory; nothing happened. */
struct request *request_new(struct client *client, const struct command *command,
                            usec_t now) MUST_CHECK;

/* Makes the places up to 'upto' ready, each before it is looked up and not all when the
 * request comes: those of 5,000 ids are 0.7 MB to write, longer than a turn's share. */
void request_open(struct request *r, size_t upto);

/* The places from r->looked on were looked up: takes over what is known of them. */
void request_take_look(struct request *r, const struct look *look,
                       const struct item_result *results);

/* The one way a place becomes known; the last one completes the request. */
void request_answer(struct request *r, size_t i, enum item_status status);

/* The same for a failure: an old item is shown instead, if the policy has one. */
void request_fail(struct request *r, size_t i, enum item_status status);

/* The deadline has come: open places become FAIL timeout. */
void request_expire(struct request *r);

/* Has an incomplete request lines to show already (order=done)? */
bool request_has_due(const struct request *r);

/* Appends the answer, or, while the request is incomplete, the lines that are due.
 * false: 'out' reached 'full' bytes before the end of a long answer; call again. */
bool request_render(struct request *r, struct buf *out, size_t full, usec_t now)
    MUST_CHECK;

/* What every answer may need, for 'n' results; the rest of 'reply' is zero. */
void request_reply(struct client *client, struct reply *reply,
                   const struct item_result *results, size_t n);

/* Counts a command as it comes, and what became of its places. */
void request_count(const struct worker *w, const struct command *c);
void request_count_fates(const struct worker *w, const struct command *c,
                         const struct item_result *results, size_t n);

/* Cancels what it waits for, leaves every list, frees. */
void request_free(struct request *r);

/* The callback of every place. */
void request_on_answer(struct loader_waiter *w, enum item_status status, struct span json,
                       struct item_pack *pack);

#endif
