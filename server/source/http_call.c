/*
 * http_call.c - one batch under way at an HTTP API.
 *
 * Owns: a call from its request to the verdict about its batch: one deadline for all of
 * it, a second try after a failure, a second call beside one that takes long.
 *
 *     start --> attempt ----answered----------------------> items, batch_done
 *                 |   `--p95 over--> hedge --answered-----> (the other one is closed)
 *                 `--lost, 502-504 -> attempt, once ------> failed: batch_done
 *     deadline at any time -----------------------------> closed, batch_done
 *
 * Extra calls come out of a budget, so that an API in trouble never gets more than its
 * percentage of them on top; none are made while the breaker is not closed.
 */
#include "server/source/http_state.h"

#include "common/log.h"
#include "server/source/http_items.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define EXTRA_COST 100
#define EXTRA_SAVED_MAX (10 * EXTRA_COST)

/* Answers seen before p95 is believed. */
#define HEDGE_LEAST 20

enum { FIRST, SECOND, ATTEMPTS };

struct http_call {
    struct list link; /* on http.calls or http.spare_calls */
    struct http *http;
    struct batch *batch;
    struct buf request;
    struct http_conn *conns[ATTEMPTS];
    usec_t asked_at[ATTEMPTS];
    usec_t deadline;
    usec_t hedge_at;  /* 0: never */
    bool by_requests; /* the deadline is that of whoever waits, not the source's */
    bool retried;
    bool doomed; /* 'doom' is told from the loop */
    enum batch_outcome doom;
    struct event timer;
};

/* --- budgets ------------------------------------------------------------------------ */

static void
budget_earn(struct http_budget *b)
{
    b->saved += b->percent;
    if (b->saved > EXTRA_SAVED_MAX)
        b->saved = EXTRA_SAVED_MAX;
}

static bool
budget_spend(struct http_budget *b)
{
    if (b->saved < EXTRA_COST)
        return false;
    b->saved -= EXTRA_COST;
    return true;
}

/* --- the breaker -------------------------------------------------------------------- */

static void
http_trouble(struct http *h, const char *why)
{
    snprintf(h->trouble, sizeof(h->trouble), "%s", why);
}

static void
http_answered(struct http *h)
{
    if (!breaker_answered(&h->breaker))
        return;
    metrics_sub(h->metrics, METRIC_breakers_open, 1);
    log_info("source name=%s breaker=closed: it answers again", h->source.name);
}

static void
http_failed(struct http *h, const char *why, usec_t now)
{
    bool was_closed = h->breaker.state == BREAKER_CLOSED;

    http_trouble(h, why);
    if (!breaker_failed(&h->breaker, now) || !was_closed)
        return;
    metrics_add(h->metrics, METRIC_breakers_open, 1);
    metrics_add(h->metrics, METRIC_breaker_opened, 1);
    log_warn("source name=%s breaker=open reason=\"%s\" failures=%u; trying again every "
             "%u to %u ms",
             h->source.name, why, h->breaker.failures_max, h->settings->breaker_min_ms,
             h->settings->breaker_max_ms);
}

/* --- the end of a call -------------------------------------------------------------- */

static void
call_end(struct http_call *call, enum batch_outcome outcome, usec_t now)
{
    struct http *h = call->http;
    struct batch *batch = call->batch;
    size_t i;

    for (i = 0; i < ATTEMPTS; i++) {
        if (call->conns[i] != NULL)
            http_conn_give(h, call->conns[i]);
        call->conns[i] = NULL;
    }
    event_del(&call->timer);
    call->batch = NULL;
    list_remove(&call->link);
    list_prepend(&h->spare_calls, &call->link);
    batch_done(batch, outcome, now);
}

static void
call_fail(struct http_call *call, const char *why, usec_t now)
{
    struct http *h = call->http;

    http_trouble(h, why);
    metrics_add(h->metrics, METRIC_http_errors, 1);
    log_debug("source name=%s call failed ids=%zu reason=\"%s\"", h->source.name,
              batch_size(call->batch), why);
    call_end(call, BATCH_FAILED, now);
}

/* From inside source->fetch, where nothing may end. */
static void
call_end_later(struct http_call *call, enum batch_outcome outcome)
{
    call->doomed = true;
    call->doom = outcome;
    event_active(&call->timer, EV_TIMEOUT, 1);
}

/* A status that says something about the ids. */
static void
call_read(struct http_call *call, const struct http_answer *answer, usec_t now)
{
    struct http *h = call->http;
    const struct config_http *s = h->settings;
    struct span body = http_answer_body(answer);
    const char *why = NULL;

    if (answer->status == 200 && s->many)
        why = http_items_read(call->batch, body, span_str(s->items), span_str(s->match),
                              h->config->item_max_bytes, h->source.ops->failure,
                              &h->scratch);
    else if (answer->status == 200)
        why = http_item_read(call->batch, body, h->config->item_max_bytes);
    buf_clear(&h->scratch);
    buf_shrink(&h->scratch, (size_t)1 << 20);
    if (why != NULL)
        call_fail(call, why, now);
    else
        call_end(call, BATCH_COMPLETE, now);
}

/* --- the end of an attempt ---------------------------------------------------------- */

/* What an end means beyond this call. */
struct verdict {
    bool good;  /* an answer about the ids */
    bool ill;   /* the API is in trouble: the breaker counts it */
    bool again; /* another try may well succeed */
    char why[160];
};

static struct verdict
judge_status(unsigned status)
{
    struct verdict v = { .good = status == 200 || status == 404 || status == 410,
                         .ill = status >= 500 || status == 429,
                         .again = status == 502 || status == 503 || status == 504 };

    snprintf(v.why, sizeof(v.why), "status %u", status);
    return v;
}

static struct verdict
judge(const struct http_conn *c, enum http_end end, const char *why)
{
    struct verdict v = { .ill = true };

    switch (end) {
    case HTTP_END_ANSWER:
        return judge_status(c->answer.status);
    case HTTP_END_LOST:
        v.again = true;
        break;
    case HTTP_END_TOOLARGE:
        v.ill = false;
        break;
    case HTTP_END_CONNECT: /* every address was tried */
    case HTTP_END_BROKEN:
        break;
    }
    snprintf(v.why, sizeof(v.why), "%s", why);
    return v;
}

static void
attempt_start(struct http_call *call, size_t which, struct http_conn *c, usec_t now)
{
    call->conns[which] = c;
    call->asked_at[which] = now;
    c->user = call;
    http_conn_start(c, buf_span(&call->request));
}

static bool
call_try_again(struct http_call *call, size_t which, usec_t now)
{
    struct http *h = call->http;

    /* Only what may be asked twice without meaning it twice. */
    if (call->retried || h->request.post || h->breaker.state != BREAKER_CLOSED ||
        now >= call->deadline || !budget_spend(&h->retries))
        return false;
    call->retried = true;
    metrics_add(h->metrics, METRIC_http_retries, 1);
    attempt_start(call, which, call->conns[which], now);
    return true;
}

void
http_call_on_ended(struct http_conn *c, enum http_end end, const char *why)
{
    struct http *h = CONTAINER_OF(c->shared, struct http, conns);
    struct http_call *call = c->user;
    struct verdict v = judge(c, end, why);
    usec_t now = clock_now();
    size_t which;
    bool alone;

    if (call == NULL) {
        http_conn_give(h, c); /* too late, but the connection is good for another */
        return;
    }
    which = call->conns[FIRST] == c ? FIRST : SECOND;
    alone = call->conns[FIRST] == NULL || call->conns[SECOND] == NULL;
    assert(call->conns[which] == c);
    if (v.ill)
        http_failed(h, v.why, now);
    else
        http_answered(h);
    if (v.good) {
        quantile_add(&h->took, now - call->asked_at[which]);
        call_read(call, &c->answer, now);
    } else if (!alone) {
        http_conn_give(h, c);
        call->conns[which] = NULL;
    } else if (!v.again || !call_try_again(call, which, now)) {
        call_fail(call, v.why, now);
    }
}

/* --- time --------------------------------------------------------------------------- */

static void
call_arm(struct http_call *call, usec_t now)
{
    usec_t at = call->deadline;
    struct timeval tv;

    if (call->hedge_at != 0 && call->hedge_at < at)
        at = call->hedge_at;
    at = at > now + USEC_PER_MSEC ? at - now : USEC_PER_MSEC;
    tv =
        (struct timeval){ (time_t)(at / USEC_PER_SEC), (suseconds_t)(at % USEC_PER_SEC) };
    evtimer_add(&call->timer, &tv);
}

/* Nobody waits any longer, or the source's patience is over.  A client in a hurry says
 * nothing about the API, unless the call had twice the time that most need. */
static void
call_cut(struct http_call *call, usec_t now)
{
    struct http *h = call->http;
    usec_t had = now - call->asked_at[FIRST];

    metrics_add(h->metrics, METRIC_http_timeouts, 1);
    if (!call->by_requests || had >= 2 * quantile_at(&h->took, 95, 1))
        http_failed(h, "no answer in time", now);
    else
        breaker_learned_nothing(&h->breaker, now);
    call_end(call, call->by_requests ? BATCH_TIMEOUT : BATCH_FAILED, now);
}

static void
call_hedge(struct http_call *call, usec_t now)
{
    struct http *h = call->http;
    struct http_conn *c;

    call->hedge_at = 0;
    if (call->conns[SECOND] != NULL || h->breaker.state != BREAKER_CLOSED ||
        h->nbusy >= h->settings->connections || !budget_spend(&h->hedges) ||
        (c = http_conn_take(h)) == NULL)
        return;
    metrics_add(h->metrics, METRIC_http_hedges, 1);
    attempt_start(call, SECOND, c, now);
}

static void
call_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_call *call = arg;
    usec_t now = clock_now();

    (void)fd;
    (void)what;
    if (call->doomed) {
        breaker_learned_nothing(&call->http->breaker, now);
        call_end(call, call->doom, now);
        return;
    }
    if (now >= call->deadline) {
        call_cut(call, now);
        return;
    }
    if (call->hedge_at != 0 && now >= call->hedge_at)
        call_hedge(call, now);
    call_arm(call, now); /* libevent's clock may be a few ms early */
}

/* --- the beginning ------------------------------------------------------------------ */

static struct http_call *
call_new(struct http *h)
{
    struct list *kept = list_pop(&h->spare_calls);
    struct http_call *call;

    if (kept != NULL)
        return CONTAINER_OF(kept, struct http_call, link);
    if ((call = calloc(1, sizeof(*call))) == NULL)
        return NULL;
    list_init(&call->link);
    call->http = h;
    buf_init(&call->request, 0);
    evtimer_assign(&call->timer, h->base, call_on_timer, call);
    return call;
}

static void
call_set_times(struct http_call *call, usec_t now)
{
    struct http *h = call->http;
    usec_t timeout = h->settings->timeout_ms * USEC_PER_MSEC;
    usec_t budget = batch_budget(call->batch, now);
    usec_t p95 = quantile_at(&h->took, 95, HEDGE_LEAST);

    call->by_requests = budget < timeout;
    call->deadline = now + (budget < timeout ? budget : timeout);
    call->hedge_at = 0;
    if (h->settings->hedges > 0 && p95 > 0 && !h->request.post)
        call->hedge_at = now + p95;
}

static enum http_built
call_build(struct http_call *call)
{
    size_t i, n = batch_size(call->batch);
    struct span ids[n];

    for (i = 0; i < n; i++)
        ids[i] = batch_id(call->batch, i);
    buf_clear(&call->request);
    return http_template_build(&call->http->request, ids, n, &call->request);
}

static void
call_begin(struct http_call *call, usec_t now)
{
    struct http *h = call->http;
    enum http_built built = call_build(call);
    struct http_conn *c;

    if (built == HTTP_BUILT && (c = http_conn_take(h)) != NULL) {
        budget_earn(&h->retries);
        budget_earn(&h->hedges);
        metrics_add(h->metrics, METRIC_http_calls, 1);
        metrics_add(h->metrics, METRIC_http_call_ids, batch_size(call->batch));
        attempt_start(call, FIRST, c, now);
        call_arm(call, now);
        return;
    }
    /* Halved until the target is short enough. */
    call_end_later(call, built == HTTP_BUILT_TOOLONG ? BATCH_REFUSED : BATCH_FAILED);
}

void
http_call_start(struct http *h, struct batch *batch)
{
    struct http_call *call = call_new(h);
    usec_t now = clock_now();

    breaker_asked(&h->breaker);
    assert(call != NULL); /* or there was no room */
    call->batch = batch;
    call->retried = call->doomed = false;
    call->conns[FIRST] = call->conns[SECOND] = NULL;
    list_append(&h->calls, &call->link);
    call_set_times(call, now);
    call_begin(call, now);
    http_call_spare(h);
}

bool
http_call_spare(struct http *h)
{
    struct http_call *call;

    if (!list_empty(&h->spare_calls))
        return true;
    if ((call = call_new(h)) == NULL)
        return false;
    list_append(&h->spare_calls, &call->link);
    return true;
}

void
http_calls_end(struct http *h)
{
    struct list *node;

    while (!list_empty(&h->calls))
        call_end(CONTAINER_OF(h->calls.next, struct http_call, link), BATCH_FAILED,
                 clock_now());
    while ((node = list_pop(&h->spare_calls)) != NULL) {
        struct http_call *call = CONTAINER_OF(node, struct http_call, link);

        buf_fini(&call->request);
        free(call);
    }
}
