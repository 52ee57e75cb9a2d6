/*
 * request_reply.c - what a request says, and how its end is counted.
 *
 * Owns: the way from results to a dialect's words, whole or in parts.
 */
#include "server/worker/request.h"

#include "server/worker/client.h"
#include "server/worker/state.h"

/* clang-format off */
static const struct { enum item_status status; enum metric metric; } fate_metrics[] = {
    { ITEM_FOUND,         METRIC_items },
    { ITEM_STALE,         METRIC_stale },
    { ITEM_MISS,          METRIC_misses },
    { ITEM_FAIL_TIMEOUT,  METRIC_fail_timeout },
    { ITEM_FAIL_DATABASE, METRIC_fail_database },
    { ITEM_FAIL_UPSTREAM, METRIC_fail_upstream },
    { ITEM_FAIL_OVERLOAD, METRIC_fail_overload },
    { ITEM_FAIL_BADID,    METRIC_fail_badid },
    { ITEM_FAIL_TOOBIG,   METRIC_fail_toobig },
    { ITEM_FAIL_STALE,    METRIC_fail_stale },
};
/* clang-format on */

void
request_count_fates(const struct worker *w, const struct command *c,
                    const struct item_result *results, size_t n)
{
    size_t fates[ITEM_NSTATUSES] = { 0 }, failures = 0, i;
    struct metrics *m = w->metrics;

    for (i = 0; i < n; i++)
        fates[results[i].status]++;
    for (i = 0; i < ARRAY_LEN(fate_metrics); i++) {
        if (fates[fate_metrics[i].status] == 0)
            continue;
        metrics_add(m, fate_metrics[i].metric, fates[fate_metrics[i].status]);
        if (item_failed(fate_metrics[i].status))
            failures += fates[fate_metrics[i].status];
    }
    metrics_add(m, METRIC_items, fates[ITEM_STALE]);
    metrics_add(m, METRIC_failures, failures);
    if (c->omits_failures)
        metrics_add(m, METRIC_get_omitted, failures);
}

bool
request_has_due(const struct request *r)
{
    return r->due != NULL && r->shown < r->ndue;
}

void
request_reply(struct client *client, struct reply *reply,
              const struct item_result *results, size_t n)
{
    struct worker *w = client->worker;

    *reply = (struct reply){
        .results = results,
        .nresults = n,
        .session = &client->session,
        .board = w->heritage->board,
        .cache = w->heritage->cache,
        .max_connections = w->heritage->max_connections,
        .each_source = sources_each,
        .arg = w,
    };
}

bool
request_render(struct request *r, struct buf *out, size_t full, usec_t now)
{
    struct worker *w = r->client->worker;
    size_t next = SIZE_MAX;
    struct reply reply;

    request_reply(r->client, &reply, r->results, r->n);
    reply.partial = r->partial;
    reply.traces = r->traces;
    reply.due = r->due;
    reply.first = r->shown;
    reply.last = r->due == NULL ? r->n : r->ndue;
    reply.full = full;
    reply.next = &next;
    reply.kept = &r->kept;
    reply.forgotten = r->forgetting.forgotten;
    reply.denied = r->forgetting.denied;
    reply.more = !r->complete;
    reply.elapsed = r->answered > r->arrived ? r->answered - r->arrived : 0;
    reply.now = now;
    r->command.answer(out, &r->command, &reply);
    r->shown = next == SIZE_MAX ? reply.last : next;
    if (next != SIZE_MAX)
        return false;
    if (r->complete && r->n > 0)
        request_count_fates(w, &r->command, r->results, r->n);
    return true;
}
