/*
 * loader.c - many wants, few fetches.
 *
 * Owns: who waits for what, and what becomes of a batch that came back.
 * Promise: every waiter hears exactly once.  Never knows: clients, dialects.
 *
 *     want -> [flows] --end of turn, source has room--> batch -> waiters
 *               ^                                        |
 *               |      lost, timed out, refused:         |
 *               +------ asked again, once or in halves <-+
 *
 * A batch grows by waiting: what is wanted while the source is busy leaves together
 * when it has room again.  No timer: an idle source adds no latency.
 */
#include "server/source/loader.h"

#include "server/source/batch.h"

#include <assert.h>
#include <stdlib.h>

/* Asked again at most this often after a loss. */
#define TRIES_MAX 1

/* Of a batch that came back, what is settled before anything else happens: to keep an item
 * and to tell its waiter takes 2 us, of 128 ids longer than anybody may be kept waiting. */
#define SETTLED_AT_ONCE 8

/* How many places before its turn what is known of an id is brought near. */
#define APPROACHED 3

struct loader *
loader_new(struct source *source, const struct loader_limits *limits,
           struct metrics *metrics)
{
    struct loader *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    assert(limits->max_batch > 0);
    l->source = source;
    l->metrics = metrics;
    l->max_batch = limits->max_batch;
    l->shared_batch = limits->shared_batch;
    hash_key_init(&l->hash_key);
    map_init(&l->wants);
    list_init(&l->ring);
    list_init(&l->retries);
    list_init(&l->settling);
    list_init(&l->elsewhere);
    list_init(&l->refreshers);
    loader_flow_init(&l->own);
    return l;
}

void
loader_use_lookup(struct loader *loader, const struct lookup *lookup)
{
    loader->lookup = lookup;
}

const struct lookup *
loader_lookup(const struct loader *loader)
{
    return loader->lookup;
}

void
loader_flow_init(struct loader_flow *flow)
{
    *flow = (struct loader_flow){ .asked = 0 };
    list_init(&flow->waiters);
    list_init(&flow->ring);
}

void
loader_flow_fini(struct loader_flow *flow)
{
    assert(list_empty(&flow->waiters));
    list_remove(&flow->ring);
}

bool
loader_idle(const struct loader *loader)
{
    return loader->queued == 0 && list_empty(&loader->retries);
}

int
loader_want(struct loader *loader, struct loader_flow *flow, struct span id,
            struct loader_waiter *w)
{
    struct want *want;

    list_init(&w->in_flow);
    list_init(&w->in_want);
    w->want = NULL;
    w->flow = flow;
    w->origin = ITEM_FROM_NOBODY;
    w->age_ms = 0;
    if ((want = want_find(loader, id, w)) != NULL)
        metrics_add(loader->metrics, METRIC_coalesced, 1);
    else if ((want = want_new(loader, id, !w->fresh)) == NULL)
        return -1;
    else if (want->elsewhere)
        metrics_add(loader->metrics, METRIC_lease_waits, 1);
    want_join(want, w);
    return 0;
}

void
loader_cancel(struct loader_waiter *w)
{
    struct want *want = w->want;

    if (want == NULL)
        return;
    w->want = NULL;
    list_remove(&w->in_want);
    list_remove(&w->in_flow);
    if (want->batch == NULL && list_empty(&want->waiters) && !want->answering)
        want_free(want);
}

/* What the source said of this place; it is kept before anybody hears of it. */
static void
batch_place_answer(struct batch *b, struct batch_place *place, enum item_status status)
{
    struct want_news news = { .status = status, .origin = ITEM_FROM_SOURCE };

    if (status == ITEM_FOUND) {
        news.json = span_of(b->pack->bytes.data + place->off, place->len);
        news.pack = b->pack;
    }
    want_settle(place->want, status, news.json, b->sent_at);
    want_answer(place->want, &news);
}

/* The open places of 'b' from 'first' on, at most 'n', into a batch of their own that
 * is asked again; without the wants that nobody waits for any more. */
static void
batch_again(struct batch *b, size_t first, size_t n, unsigned tries)
{
    struct loader *l = b->loader;
    struct batch *again = batch_new(l, n);
    size_t i;

    for (i = first; i < b->n && i < first + n; i++) {
        struct want *want = b->places[i].want;

        if (b->places[i].status != ITEM_OPEN)
            continue;
        if (list_empty(&want->waiters))
            want_free(want);
        else if (again == NULL)
            batch_place_answer(b, &b->places[i], ITEM_FAIL_OVERLOAD);
        else
            batch_add(again, want);
    }
    if (again == NULL)
        return;
    if (again->n == 0) {
        batch_free(again);
        return;
    }
    again->tries = tries;
    metrics_add(l->metrics, METRIC_requeued, again->n);
    list_append(&l->retries, &again->link);
}

/* Answers those waiters of the open places who have no time left; the rest stay.  Set
 * apart first: an answer may cancel any other waiter. */
static void
batch_expire(struct batch *b, usec_t now)
{
    struct list expired = LIST_INIT(expired), *node, *after;
    size_t i;

    for (i = 0; i < b->n; i++) {
        if (b->places[i].status != ITEM_OPEN)
            continue;
        LIST_EACH_SAFE (node, after, &b->places[i].want->waiters) {
            if (CONTAINER_OF(node, struct loader_waiter, in_want)->deadline > now)
                continue;
            list_remove(node);
            list_append(&expired, node);
        }
    }
    while (!list_empty(&expired))
        waiter_answer(CONTAINER_OF(expired.next, struct loader_waiter, in_want),
                      &(struct want_news){ .status = ITEM_FAIL_TIMEOUT });
}

static void
batch_answer_open(struct batch *b, enum item_status status)
{
    size_t i;

    for (i = 0; i < b->n; i++) {
        if (b->places[i].status == ITEM_OPEN)
            batch_place_answer(b, &b->places[i], status);
    }
}

static void
batch_halve(struct batch *b, enum item_status alone)
{
    size_t half = (b->n + 1) / 2;

    if (b->n == 1) {
        batch_answer_open(b, alone);
        return;
    }
    batch_again(b, 0, half, b->tries);
    batch_again(b, half, b->n - half, b->tries);
}

static void
batch_settle_open(struct batch *b, enum batch_outcome outcome, usec_t now)
{
    switch (outcome) {
    case BATCH_COMPLETE:
        break; /* settled place by place, see loader_settle */
    case BATCH_FAILED:
        batch_answer_open(b, b->loader->source->ops->failure);
        break;
    case BATCH_LOST:
        if (b->tries < TRIES_MAX)
            batch_again(b, 0, b->n, b->tries + 1);
        else
            batch_answer_open(b, b->loader->source->ops->failure);
        break;
    case BATCH_CUT:
        if (b->tries < TRIES_MAX)
            batch_again(b, 0, b->n, b->tries + 1);
        else
            batch_halve(b, ITEM_FAIL_TOOBIG);
        break;
    case BATCH_TIMEOUT:
        /* Whoever has time left is asked for again; deadlines, not tries, end it. */
        batch_expire(b, now);
        batch_again(b, 0, b->n, b->tries);
        break;
    case BATCH_REFUSED:
        batch_halve(b, ITEM_FAIL_BADID);
        break;
    case BATCH_TOOBIG:
        batch_halve(b, ITEM_FAIL_TOOBIG);
        break;
    }
}

bool
loader_settling(const struct loader *loader)
{
    return !list_empty(&loader->settling);
}

void
loader_settle(struct loader *loader, size_t n)
{
    for (; n > 0 && loader_settling(loader); n--) {
        struct batch *b = CONTAINER_OF(loader->settling.next, struct batch, link);
        struct batch_place *place = &b->places[b->settled++];

        if (b->settled + APPROACHED < b->n)
            want_approach(b->places[b->settled + APPROACHED].want);
        batch_place_answer(b, place,
                           place->status == ITEM_OPEN ? ITEM_MISS : place->status);
        if (b->settled == b->n)
            batch_free(b);
    }
}

void
batch_done(struct batch *batch, enum batch_outcome outcome, usec_t now)
{
    struct loader *l = batch->loader;
    size_t i;

    assert(l->in_flight > 0);
    l->in_flight--;
    metrics_sub(l->metrics, METRIC_inflight_statements, 1);
    if (outcome == BATCH_COMPLETE) {
        if (now > batch->sent_at)
            draw_note(l, batch->n, now - batch->sent_at);
        list_append(&l->settling, &batch->link);
        loader_settle(l, SETTLED_AT_ONCE);
        return;
    }
    for (i = 0; i < batch->n; i++) {
        if (batch->places[i].status != ITEM_OPEN)
            batch_place_answer(batch, &batch->places[i], batch->places[i].status);
    }
    batch_settle_open(batch, outcome, now);
    batch_free(batch);
}

/* A batch waiting to be asked again, without the wants that lost their waiters. */
static struct batch *
loader_next_retry(struct loader *l)
{
    struct list *node;
    size_t i, kept;

    while ((node = list_pop(&l->retries)) != NULL) {
        struct batch *b = CONTAINER_OF(node, struct batch, link);

        for (i = kept = 0; i < b->n; i++) {
            struct want *want = b->places[i].want;

            if (list_empty(&want->waiters)) {
                want_free(want);
                continue;
            }
            want->place = (uint32_t)kept;
            b->places[kept++] = b->places[i];
        }
        b->n = kept;
        if (kept > 0)
            return b;
        batch_free(b);
    }
    return NULL;
}

static void
loader_send(struct loader *l, struct batch *b)
{
    l->in_flight++;
    metrics_add(l->metrics, METRIC_inflight_statements, 1);
    b->sent_at = clock_now();
    l->source->ops->fetch(l->source, b);
}

/* The source is down: everybody hears so, now. */
static void
loader_fail_all(struct loader *l)
{
    struct batch *b;

    while ((b = loader_next_retry(l)) != NULL) {
        batch_answer_open(b, l->source->ops->failure);
        batch_free(b);
    }
    while ((b = loader_draw(l, l->max_batch)) != NULL) {
        batch_answer_open(b, l->source->ops->failure);
        batch_free(b);
    }
}

/* The batch that goes next; NULL: nothing waits that anybody still wants. */
static struct batch *
loader_next(struct loader *l)
{
    size_t max = l->source->ops->batch_ids(l->source);
    struct batch *b = loader_next_retry(l);

    return b != NULL ? b : loader_draw(l, max < l->max_batch ? max : l->max_batch);
}

bool
loader_flush(struct loader *loader)
{
    bool sent = false;
    struct batch *b;

    /* Asked each time around: the batch just sent may be all that the source dares. */
    while (!loader_idle(loader)) {
        switch (source_state(loader->source)) {
        case SOURCE_DOWN:
            loader_fail_all(loader);
            return sent;
        case SOURCE_PENDING:
            return sent;
        case SOURCE_UP:
            break;
        }
        if (!loader->source->ops->room(loader->source) ||
            (b = loader_next(loader)) == NULL)
            return sent;
        loader_send(loader, b);
        sent = true;
    }
    return sent;
}

void
loader_free(struct loader **loader)
{
    struct loader *l = *loader;
    struct batch *b;

    if (l == NULL)
        return;
    assert(l->in_flight == 0);
    loader_stop_refreshing(l);
    loader_flow_fini(&l->own);
    loader_settle(l, SIZE_MAX); /* nobody waits, but it is kept */
    while ((b = loader_next_retry(l)) != NULL)
        batch_free(b);
    assert(l->wants.count == 0);
    map_fini(&l->wants);
    free(l);
    *loader = NULL;
}
