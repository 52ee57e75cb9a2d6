/*
 * http_conn.h - one connection to an HTTP API: a request out, an answer in, again.
 *
 * Owns: socket, TLS session, events, and the reading of one answer at a time.
 * Promises: a start is followed by exactly one call of 'ended', and never inside it; what
 * arrives when nothing was asked ends the connection and answers nothing.
 * Never knows: batches, retries, breakers.
 *
 *     CLOSED -start-> CONNECTING -> HANDSHAKE -> BUSY -ended-> IDLE -start-> BUSY
 *        ^                |            |          |             |
 *        +----------------+------------+----------+-------------+  (ended, or 'gone')
 */
#ifndef SERVER_SOURCE_HTTP_CONN_H
#define SERVER_SOURCE_HTTP_CONN_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/list.h"
#include "common/net.h"
#include "common/span.h"
#include "server/source/http_answer.h"
#include "server/source/http_names.h"
#include "server/source/http_tls.h"
#include "server/stats/metrics.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

/* Read at once. */
#define HTTP_READ_BYTES ((size_t)64 << 10)

struct http_conn;

enum http_end {
    HTTP_END_ANSWER,   /* conn->answer is complete */
    HTTP_END_CONNECT,  /* no address could be connected to; nothing was sent */
    HTTP_END_LOST,     /* went away before the answer was there */
    HTTP_END_BROKEN,   /* what came was no acceptable HTTP */
    HTTP_END_TOOLARGE, /* more than header_max or answer_max */
};

/* What all connections of a source have in common. */
struct http_conns {
    struct event_base *base;
    struct http_names *names;
    struct http_tls *tls; /* NULL: plain */
    struct metrics *metrics;
    usec_t connect_timeout;
    size_t header_max;
    size_t body_max;
    char *read_buffer; /* HTTP_READ_BYTES */
    /* How it went, in words for a log; 'conn' is IDLE or CLOSED then, and may be started
     * again from here. */
    void (*ended)(struct http_conn *conn, enum http_end end, const char *why);
    /* An idle connection was closed by the other side; it is CLOSED. */
    void (*gone)(struct http_conn *conn);
};

enum http_conn_state {
    HTTP_CONN_CLOSED,
    HTTP_CONN_CONNECTING,
    HTTP_CONN_HANDSHAKE,
    HTTP_CONN_BUSY,
    HTTP_CONN_IDLE,
};

struct http_conn {
    struct list link; /* its user's */
    void *user;
    const struct http_conns *shared;
    enum http_conn_state state;
    int fd;
    struct event read;
    struct event write;
    struct http_tls_session *session;
    struct net_addr addr;
    size_t tried; /* addresses, while connecting ... */
    size_t next;  /* ... and the one to try next */
    struct http_answer answer;
    struct span unsent;
    bool failed_early; /* 'end' and 'why' are told from the loop */
    enum http_end end;
    char why[160];
    usec_t idle_since;
};

/* CLOSED.  NULL: no memory. */
struct http_conn *http_conn_new(const struct http_conns *shared) MUST_CHECK;
void http_conn_free(struct http_conn **conn);

/* Sends 'request', which stays where it is until 'ended'; connects first when CLOSED.
 * Only when CLOSED or IDLE. */
void http_conn_start(struct http_conn *c, struct span request);

/* Ends whatever it does; nobody is told. */
void http_conn_close(struct http_conn *c);

#endif
