/*
 * planner.c - each key: whose is it, is it an id, and then a want.
 *
 * Owns: the judgement of a place before anybody is asked.  A request of few ids is looked
 * up where it is read.  With larger ones clients take turns, a slice each of their oldest
 * request, and a turn of the loop looks up a bounded number of ids for a bounded time: a
 * request of 10,000 must not hold up the loop, and whoever sent a hundred of them does not
 * come before the one who sent a single id.
 */
#include "server/source/view.h"
#include "server/worker/client.h"
#include "server/worker/request.h"
#include "server/worker/state.h"

#define SLICE 64

/* The parts of a view's item are wanted each for itself; returns how many there are. */
static size_t
plan_view(struct request *r, size_t i, struct source *view, struct span id)
{
    struct request_place *place = &r->places[i];
    const struct view_asker asker = {
        .flows = r->client->flows,
        .deadline = r->deadline.at,
        .fresh = r->command.fresh,
        .max_age = look_max_age(&r->command),
        .max_age_ms = r->command.maxage_ms,
        .fields = r->command.fields,
        .nfields = r->command.nfields,
    };

    place->waiter.answered = request_on_answer;
    place->item = view_item_new(view, id, &asker, &place->waiter, clock_now());
    if (place->item != NULL)
        return view_item_parts(place->item);
    request_answer(r, i, ITEM_FAIL_OVERLOAD);
    return 1;
}

/* A place that the look left open: its id is wanted.  Returns what it cost: 1, or the
 * number of parts. */
static size_t
plan_place(struct worker *w, struct request *r, size_t i)
{
    struct loader_waiter *waiter = &r->places[i].waiter;
    char id[SOURCE_KEY_MAX];
    size_t id_len, which;
    struct span rest;

    which = sources_resolve(w, r->results[i].key, &rest);
    if (which == SOURCE_NONE || w->sources[which]->ops->key(w->sources[which], rest, id,
                                                            &id_len) != SOURCE_KEY_OK) {
        request_answer(r, i, ITEM_FAIL_BADID); /* its type changed this very moment */
        return 1;
    }
    if (metrics_get(w->metrics, METRIC_queued_ids) >= w->config->queue_max ||
        worker_busy(w)) {
        request_fail(r, i, ITEM_FAIL_OVERLOAD);
        return 1;
    }
    if (which >= w->config->nsources)
        return plan_view(r, i, w->sources[which], span_of(id, id_len));
    waiter->deadline = r->deadline.at;
    waiter->fresh = r->command.fresh;
    waiter->max_age_ms = r->command.maxage_ms;
    waiter->answered = request_on_answer;
    if (loader_want(w->loaders[which], &r->client->flows[which], span_of(id, id_len),
                    waiter) == -1)
        request_fail(r, i, ITEM_FAIL_OVERLOAD);
    return 1;
}

/* Plans places of 'r' until 'max' is spent; returns what was. */
static size_t
plan_slice(struct worker *w, struct request *r, size_t max)
{
    size_t spent = 0, some = r->n - r->looked < max ? r->n - r->looked : max;

    if (r->planned == r->looked) {
        request_open(r, r->looked + some);
        look_up(w, &w->look, r->results + r->looked, some, &r->command, clock_now());
        request_take_look(r, &w->look, r->results + r->looked);
    }
    /* The last answer may complete the request; it is freed when that is written. */
    while (r->planned < r->looked && spent < max) {
        size_t i = r->planned++;

        if (r->results[i].status == ITEM_OPEN)
            spent += plan_place(w, r, i);
        else
            spent++;
    }
    return spent;
}

/* A slice of the client's oldest request; returns what it cost. */
static size_t
plan_client(struct worker *w, struct client *c, size_t max)
{
    struct request *r;
    size_t count;

    if (list_empty(&c->to_plan))
        return 0; /* expired meanwhile */
    r = CONTAINER_OF(c->to_plan.next, struct request, in_plan);
    count = plan_slice(w, r, max);
    if (r->planned == r->n)
        list_remove(&r->in_plan);
    return count;
}

void
planner_run_now(struct worker *w, struct client *c)
{
    struct request *r;

    if (list_empty(&c->to_plan) || c->to_plan.next != c->to_plan.prev)
        return;
    r = CONTAINER_OF(c->to_plan.next, struct request, in_plan);
    if (r->n > SLICE || r->n > w->config->turn_ids)
        return;
    list_remove(&c->in_plan);
    plan_client(w, c, SLICE);
    if (!list_empty(&c->to_plan))
        list_append(&w->to_plan, &c->in_plan);
}

void
planner_run(struct worker *w)
{
    size_t left = w->config->turn_ids, spent;
    struct list *node;

    while (left > 0 && !list_empty(&w->to_plan) && !worker_share_over(w, clock_now())) {
        struct client *c;

        node = list_pop(&w->to_plan);
        c = CONTAINER_OF(node, struct client, in_plan);
        spent = plan_client(w, c, left < SLICE ? left : SLICE);
        left -= spent < left ? spent : left;
        if (!list_empty(&c->to_plan))
            list_append(&w->to_plan, node);
    }
}
