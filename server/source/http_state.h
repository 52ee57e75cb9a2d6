/*
 * http_state.h - an HTTP source from the inside: what its rooms share.
 *
 *     http.c       the source: keys, state, who gets a connection
 *     http_call.c  one batch under way: deadline, retry, hedge, what the answer means
 *     http_conn.c  one connection        http_answer.c   the framing of answers
 *     http_tls.c   its TLS               http_items.c    their JSON
 *     http_names.c addresses             http_request.c  the bytes of requests
 */
#ifndef SERVER_SOURCE_HTTP_STATE_H
#define SERVER_SOURCE_HTTP_STATE_H

#include "server/config/config.h"
#include "server/source/breaker.h"
#include "server/source/http_conn.h"
#include "server/source/http_request.h"
#include "server/source/key.h"
#include "server/source/loader.h"
#include "server/source/quantile.h"
#include "server/source/source.h"

/* An allowance for extra calls: each call adds the configured percent, an extra one takes
 * a hundred. */
struct http_budget {
    unsigned percent;
    unsigned saved;
};

struct http {
    struct source source;
    const struct config *config;
    const struct config_http *settings;
    struct event_base *base;
    struct metrics *metrics;
    struct key_type key_type;
    struct http_template request;
    struct http_conns conns;
    struct http_names *names;
    struct http_tls *tls;

    struct list idle;  /* connections, last used first */
    struct list spare; /* closed ones */
    struct list busy;
    struct list ending; /* busy ones that nobody waits for: closed a few a turn */
    size_t nconns;
    size_t nbusy;           /* ending ones included */
    unsigned connects_left; /* in this turn of the loop */
    struct event next_turn;

    struct list calls;
    struct list spare_calls;
    struct breaker breaker;
    struct quantile took; /* calls that were answered */
    struct http_budget retries;
    struct http_budget hedges;
    struct buf scratch;
    struct event tick;
    char trouble[160]; /* the last failure, for people; "" : none yet */
    bool broken;       /* cannot work as configured; 'trouble' says why */
};

/* --- http.c: connections --- */

/* One to start a request on; NULL: no room or no memory. */
struct http_conn *http_conn_take(struct http *h) MUST_CHECK;

/* Gives it back in whatever state; what is under way on it will be closed, and 'ended' may
 * still be called for it, with no user. */
void http_conn_give(struct http *h, struct http_conn *c);

/* --- http_call.c --- */

/* Keeps memory for one more call at hand, so that a start cannot fail for want of it:
 * there is room only while there is some. */
bool http_call_spare(struct http *h);

/* Takes the batch; never ends it before it returns. */
void http_call_start(struct http *h, struct batch *batch);

/* For http_conns. */
void http_call_on_ended(struct http_conn *c, enum http_end end, const char *why);

/* Ends every call as failed and frees what is kept of them. */
void http_calls_end(struct http *h);

#endif
