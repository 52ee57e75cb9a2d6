/*
 * want.c - one id, and who waits for it.
 *
 * Owns: who may share an answer, and that one worker at a time fetches an id: whoever
 * takes its lease first.  The others wait for what that one stores; when it dies or stops,
 * when it is silent or nothing could be stored, they ask for themselves.
 */
#include "server/source/batch.h"

#include <assert.h>
#include <stdlib.h>

/* A statement has its own end (its budget, then silence), and a worker that lives says so;
 * this is only for a want that got lost in one. */
#define LEASE_LONGEST (20 * USEC_PER_SEC)

void
want_count_queued(struct loader *l, long delta)
{
    l->queued = (size_t)((long)l->queued + delta);
    metrics_add(l->metrics, METRIC_queued_ids, (uint64_t)delta);
}

static bool
loader_shares(const struct loader *l)
{
    return l->lookup != NULL && lookup_on(l->lookup);
}

static struct span
want_id(const struct want *want)
{
    return span_of(want->id, want->id_len);
}

static bool
want_queued(const struct want *want)
{
    return want->batch == NULL && !want->elsewhere;
}

/* --- joining ---------------------------------------------------------------------- */

/* What is not sent yet anybody may join.  A statement under way: only who would accept
 * an item as old as that, and whose id was not invalidated since. */
static bool
want_may_join(const struct want *want, const struct loader_waiter *w)
{
    const struct loader *l = want->loader;
    usec_t sent_at;

    if (want_queued(want))
        return true;
    if (w->fresh)
        return false;
    if (want->batch == NULL || (sent_at = want->batch->sent_at) == 0)
        return true;
    if (w->max_age_ms != 0 && clock_now() - sent_at > w->max_age_ms * USEC_PER_MSEC)
        return false;
    return l->lookup == NULL || lookup_may_join(l->lookup, want_id(want), sent_at);
}

/* There may be two of an id, in different statements. */
struct want *
want_find(const struct loader *l, struct span id, const struct loader_waiter *w)
{
    uint64_t hash = hash_bytes(&l->hash_key, id);
    struct map_node *node;

    for (node = map_first(&l->wants, hash); node != NULL; node = map_next(node, hash)) {
        struct want *want = CONTAINER_OF(node, struct want, node);

        if (span_equal(id, want_id(want)) && want_may_join(want, w))
            return want;
    }
    return NULL;
}

static void
want_queue_waiter(struct want *want, struct loader_waiter *w)
{
    if (list_empty(&w->flow->waiters))
        w->flow->asked = 0;
    w->flow->asked++;
    list_append(&w->flow->waiters, &w->in_flow);
    if (!list_linked(&w->flow->ring))
        list_append(&want->loader->ring, &w->flow->ring);
}

void
want_join(struct want *want, struct loader_waiter *w)
{
    w->want = want;
    list_append(&want->waiters, &w->in_want);
    if (want_queued(want))
        want_queue_waiter(want, w);
}

/* --- leases ------------------------------------------------------------------------ */

static void
want_wait_elsewhere(struct want *want)
{
    struct loader *l = want->loader;

    want->elsewhere = true;
    list_append(&l->elsewhere, &want->in_elsewhere);
    if (l->recheck_at == 0 || want->lease.look_at < l->recheck_at)
        l->recheck_at = want->lease.look_at;
}

/* true: the id is ours to fetch. */
static bool
want_take_lease(struct want *want, usec_t now)
{
    const struct lookup *lookup = want->loader->lookup;
    struct cache_key key;

    lookup_key(lookup, want_id(want), &key);
    switch (lease_take(lookup->cache, &key, now, LEASE_LONGEST, &want->lease)) {
    case LEASE_MINE:
        want->leased = true;
        want->loader->leased++;
        return true;
    case LEASE_ELSEWHERE:
        return false;
    case LEASE_NONE:
        break;
    }
    return true;
}

static void
want_end_lease(struct want *want, enum lease_state verdict, usec_t asked_at)
{
    if (!want->leased)
        return;
    lease_finish(want->loader->lookup->cache, &want->lease, verdict, asked_at);
    want->leased = false;
    want->loader->leased--;
}

bool
loader_leases(const struct loader *loader)
{
    return loader->leased > 0;
}

void
want_approach(const struct want *want)
{
    if (loader_shares(want->loader))
        lookup_approach(want->loader->lookup, want_id(want));
}

void
want_settle(struct want *want, enum item_status status, struct span json, usec_t asked_at)
{
    struct loader *l = want->loader;
    enum lease_state verdict = LEASE_FAILED;
    struct cache_key key;

    if (!loader_shares(l))
        return;
    lookup_key(l->lookup, want_id(want), &key);
    if (status == ITEM_FOUND)
        verdict = lookup_keep(l->lookup, &key, asked_at, json);
    else if (status == ITEM_MISS)
        verdict = lookup_keep_absent(l->lookup, &key, asked_at);
    want_end_lease(want, verdict, asked_at);
}

/* --- birth and end -------------------------------------------------------------------- */

struct want *
want_new(struct loader *l, struct span id, bool shared)
{
    uint64_t hash = hash_bytes(&l->hash_key, id);
    /* The second want of an id does not wait for the first: it could not join it. */
    bool alone = !shared || !loader_shares(l) || map_first(&l->wants, hash) != NULL;
    struct want *want = malloc(sizeof(*want) + id.n);

    if (want == NULL)
        return NULL;
    if (map_insert(&l->wants, &want->node, hash) == -1) {
        free(want);
        return NULL;
    }
    want->loader = l;
    list_init(&want->waiters);
    list_init(&want->in_elsewhere);
    want->elsewhere = want->answering = want->leased = false;
    want->batch = NULL;
    want->id_len = (uint32_t)id.n;
    memcpy(want->id, id.p, id.n);
    if (alone || want_take_lease(want, clock_now()))
        want_count_queued(l, 1);
    else
        want_wait_elsewhere(want);
    return want;
}

void
want_free(struct want *want)
{
    struct loader *l = want->loader;

    assert(list_empty(&want->waiters));
    if (want_queued(want))
        want_count_queued(l, -1);
    list_remove(&want->in_elsewhere);
    want_end_lease(want, LEASE_LOST, 0);
    map_remove(&l->wants, &want->node);
    free(want);
}

void
waiter_answer(struct loader_waiter *w, const struct want_news *news)
{
    list_remove(&w->in_want);
    list_remove(&w->in_flow);
    w->want = NULL;
    w->origin = (unsigned char)news->origin;
    w->age_ms = (unsigned)(news->age / USEC_PER_MSEC);
    w->answered(w, news->status, news->json, news->pack);
}

void
want_answer(struct want *want, const struct want_news *news)
{
    want->answering = true; /* a waiter may cancel another */
    while (!list_empty(&want->waiters))
        waiter_answer(CONTAINER_OF(want->waiters.next, struct loader_waiter, in_want),
                      news);
    want_free(want);
}

/* --- what other workers fetched --------------------------------------------------------- */

/* From waiting to fetching. */
static void
want_queue(struct want *want)
{
    struct list *node, *after;

    want->elsewhere = false;
    want_count_queued(want->loader, 1);
    LIST_EACH_SAFE (node, after, &want->waiters)
        want_queue_waiter(want, CONTAINER_OF(node, struct loader_waiter, in_want));
}

/* Those who must not see an item of this age fetch it for themselves. */
static void
want_part_with(struct want *want, usec_t age)
{
    struct loader *l = want->loader;
    struct list *node, *after;
    struct want *own = NULL;

    LIST_EACH_SAFE (node, after, &want->waiters) {
        struct loader_waiter *w = CONTAINER_OF(node, struct loader_waiter, in_want);

        if (w->max_age_ms == 0 || age <= w->max_age_ms * USEC_PER_MSEC)
            continue;
        if (own == NULL && (own = want_new(l, want_id(want), false)) == NULL)
            return; /* no memory: an item that is too old is less bad than none */
        list_remove(node);
        want_join(own, w);
    }
}

/* Somebody stored it, it is said; false: it is not there. */
static bool
want_take_stored(struct want *want, usec_t now)
{
    const struct lookup *lookup = want->loader->lookup;
    struct want_news news = { .origin = ITEM_FROM_LEASE };
    struct item_pack *pack = item_pack_new();
    struct lookup_item item = { .with_marks = false };
    struct cache_key key;

    if (pack == NULL)
        return false;
    lookup_key(lookup, want_id(want), &key);
    switch (lookup_get(lookup, &key, LOOKUP_ANY_AGE, now, &pack->bytes, &item)) {
    case LOOKUP_FRESH:
        news.status = ITEM_FOUND;
        news.json = buf_span(&pack->bytes);
        news.pack = pack;
        break;
    case LOOKUP_ABSENT:
        news.status = ITEM_MISS;
        break;
    case LOOKUP_STALE:
    case LOOKUP_TOO_OLD:
    case LOOKUP_NOTHING:
        item_pack_unref(&pack);
        return false;
    }
    news.age = item.age;
    want_part_with(want, item.age);
    want_answer(want, &news);
    item_pack_unref(&pack);
    return true;
}

/* The lease it waited for is over, or not. */
static void
want_look_again(struct want *want, usec_t now)
{
    struct loader *l = want->loader;

    switch (lease_look(l->lookup->cache, &want->lease, now)) {
    case LEASE_HELD:
        want_wait_elsewhere(want);
        return;
    case LEASE_ABSENT:
        want_answer(want, &(struct want_news){ .status = ITEM_MISS,
                                               .origin = ITEM_FROM_LEASE });
        return;
    case LEASE_FAILED:
    case LEASE_NOT_STORED:
        want_queue(want);
        return;
    case LEASE_STORED:
    case LEASE_LOST:
        break;
    }
    if (want_take_stored(want, now))
        return;
    if (want_take_lease(want, now)) {
        metrics_add(l->metrics, METRIC_lease_takeovers, 1);
        want_queue(want);
    } else {
        want_wait_elsewhere(want);
    }
}

void
loader_wake(struct loader *loader, usec_t now)
{
    struct list waiting = LIST_INIT(waiting), *node;

    loader->recheck_at = 0;
    list_splice(&waiting, &loader->elsewhere);
    while ((node = list_pop(&waiting)) != NULL)
        want_look_again(CONTAINER_OF(node, struct want, in_elsewhere), now);
}

usec_t
loader_recheck_at(const struct loader *loader)
{
    return loader->recheck_at;
}
