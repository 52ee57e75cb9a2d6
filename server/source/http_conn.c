/*
 * http_conn.c - one connection to an HTTP API: a request out, an answer in, again.
 *
 * Plain events and direct reads and writes, as for clients: two system calls a request.
 * Whatever fails inside http_conn_start is kept and told from the loop, by way of the
 * write event.
 */
#include "server/source/http_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_AFTER (20 * USEC_PER_MSEC)

static void conn_on_read(evutil_socket_t fd, short what, void *arg);
static void conn_on_write(evutil_socket_t fd, short what, void *arg);

struct http_conn *
http_conn_new(const struct http_conns *shared)
{
    struct http_conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    list_init(&c->link);
    c->shared = shared;
    c->fd = -1;
    http_answer_init(&c->answer, shared->header_max, shared->body_max);
    event_assign(&c->read, shared->base, -1, 0, conn_on_read, c);
    event_assign(&c->write, shared->base, -1, 0, conn_on_write, c);
    return c;
}

/* Events before the descriptor: its number may be somebody else's right after. */
static void
conn_shut(struct http_conn *c)
{
    event_del(&c->read);
    event_del(&c->write);
    http_tls_close(&c->session);
    if (c->fd != -1) {
        if (c->state == HTTP_CONN_BUSY || c->state == HTTP_CONN_IDLE)
            metrics_sub(c->shared->metrics, METRIC_http_connections, 1);
        close(c->fd);
    }
    c->fd = -1;
    c->failed_early = false;
    c->state = HTTP_CONN_CLOSED;
}

void
http_conn_close(struct http_conn *c)
{
    conn_shut(c);
    http_answer_reset(&c->answer);
}

void
http_conn_free(struct http_conn **conn)
{
    if (*conn == NULL)
        return;
    conn_shut(*conn);
    list_remove(&(*conn)->link);
    http_answer_fini(&(*conn)->answer);
    free(*conn);
    *conn = NULL;
}

/* --- how it ends -------------------------------------------------------------------- */

/* Told at once: from an event of ours only. */
static void
conn_fail(struct http_conn *c, enum http_end end, const char *why)
{
    char text[sizeof(c->why)];

    snprintf(text, sizeof(text), "%s", why);
    conn_shut(c);
    c->shared->ended(c, end, text);
}

/* Told from the loop. */
static void
conn_fail_later(struct http_conn *c, enum http_end end, const char *why)
{
    snprintf(c->why, sizeof(c->why), "%s", why); /* which may be the session's */
    conn_shut(c);
    c->end = end;
    c->failed_early = true;
    event_assign(&c->write, c->shared->base, -1, 0, conn_on_write, c);
    event_active(&c->write, EV_WRITE, 1);
}

/* --- in and out, as much as goes ---------------------------------------------------- */

/* Bytes, 0 at the end; -1 with errno, EAGAIN when there is nothing now. */
static ssize_t
conn_receive_some(struct http_conn *c)
{
    size_t n = 0;

    if (c->session == NULL)
        return recv(c->fd, c->shared->read_buffer, HTTP_READ_BYTES, 0);
    switch (http_tls_read(c->session, c->shared->read_buffer, HTTP_READ_BYTES, &n)) {
    case TLS_OK:
        return (ssize_t)n;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case TLS_END:
        return 0;
    case TLS_FAILED:
        break;
    }
    errno = ECONNRESET;
    return -1;
}

static ssize_t
conn_send_some(struct http_conn *c)
{
    size_t n = 0;

    if (c->session == NULL)
        return send(c->fd, c->unsent.p, c->unsent.n, MSG_NOSIGNAL);
    switch (http_tls_write(c->session, c->unsent, &n)) {
    case TLS_OK:
        return (ssize_t)n;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case TLS_END:
    case TLS_FAILED:
        break;
    }
    errno = ECONNRESET;
    return -1;
}

static void
conn_send(struct http_conn *c)
{
    while (c->unsent.n > 0) {
        ssize_t n = conn_send_some(c);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1 && errno == EAGAIN) {
            if (event_add(&c->write, NULL) == -1)
                conn_fail_later(c, HTTP_END_LOST, "no memory");
            return;
        }
        if (n == -1) {
            conn_fail_later(c, HTTP_END_LOST, strerror(errno));
            return;
        }
        c->unsent = span_of(c->unsent.p + n, c->unsent.n - (size_t)n);
    }
}

/* --- connecting --------------------------------------------------------------------- */

static struct timeval
timeval_of(usec_t t)
{
    return (struct timeval){ (time_t)(t / USEC_PER_SEC),
                             (suseconds_t)(t % USEC_PER_SEC) };
}

static bool
conn_try(struct http_conn *c, const struct net_addr *addr)
{
    struct timeval tv = timeval_of(c->shared->connect_timeout);

    c->fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd == -1)
        return false;
    c->addr = *addr;
    c->state = HTTP_CONN_CONNECTING;
    net_tune_client(c->fd);
    event_assign(&c->read, c->shared->base, c->fd, EV_READ | EV_PERSIST, conn_on_read, c);
    event_assign(&c->write, c->shared->base, c->fd, EV_WRITE, conn_on_write, c);
    if (connect(c->fd, (const struct sockaddr *)&addr->ss, addr->len) == -1 &&
        errno != EINPROGRESS)
        return false;
    return event_add(&c->write, &tv) == 0;
}

/* The next address, or the end.  'why' is the last one's trouble. */
static void
conn_connect(struct http_conn *c, const char *why)
{
    struct http_names *names = c->shared->names;

    for (; c->tried < http_names_count(names); c->tried++) {
        conn_shut(c);
        if (conn_try(c, http_names_at(names, c->next++))) {
            c->tried++;
            return;
        }
        why = strerror(errno);
        if (c->fd == -1)
            break; /* no descriptor: another address would not help */
        http_names_failed(names, &c->addr);
    }
    metrics_add(c->shared->metrics, METRIC_http_connect_failures, 1);
    conn_fail_later(c, HTTP_END_CONNECT, why);
}

static void
conn_ready(struct http_conn *c)
{
    metrics_add(c->shared->metrics, METRIC_http_connects, 1);
    metrics_add(c->shared->metrics, METRIC_http_connections, 1);
    c->state = HTTP_CONN_BUSY;
    event_remove_timer(&c->read);
    conn_send(c);
}

static void
conn_handshake(struct http_conn *c)
{
    switch (http_tls_handshake(c->session)) {
    case TLS_OK:
        conn_ready(c);
        return;
    case TLS_WANT_READ:
        return;
    case TLS_WANT_WRITE:
        if (event_add(&c->write, NULL) == 0)
            return;
        break;
    case TLS_END:
    case TLS_FAILED:
        break;
    }
    metrics_add(c->shared->metrics, METRIC_http_connect_failures, 1);
    conn_fail_later(c, HTTP_END_CONNECT, http_tls_why(c->session));
}

static void
conn_on_connected(struct http_conn *c, bool late)
{
    struct timeval tv = timeval_of(c->shared->connect_timeout);
    int error = ETIMEDOUT;
    socklen_t n = sizeof(error);

    if ((!late && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1) ||
        error != 0) {
        http_names_failed(c->shared->names, &c->addr);
        conn_connect(c, strerror(error));
        return;
    }
    if (event_add(&c->read, c->shared->tls == NULL ? NULL : &tv) == -1) {
        conn_fail_later(c, HTTP_END_CONNECT, "no memory");
        return;
    }
    if (c->shared->tls == NULL) {
        conn_ready(c);
        return;
    }
    c->state = HTTP_CONN_HANDSHAKE;
    if ((c->session = http_tls_open(c->shared->tls, c->fd)) == NULL)
        conn_fail_later(c, HTTP_END_CONNECT, "no memory");
    else
        conn_handshake(c);
}

/* Did nothing come since the loop last looked?  A 408 that says the idle time is over must
 * not be taken for the answer to what is asked next, and an end is better seen before a
 * request is lost.  One that was busy a moment ago is not worth the system call. */
static bool
conn_is_quiet(struct http_conn *c)
{
    return clock_now() - c->idle_since < QUIET_AFTER ||
           (conn_receive_some(c) == -1 && errno == EAGAIN);
}

void
http_conn_start(struct http_conn *c, struct span request)
{
    c->unsent = request;
    http_answer_reset(&c->answer);
    if (c->state == HTTP_CONN_IDLE && conn_is_quiet(c)) {
        c->state = HTTP_CONN_BUSY;
        conn_send(c);
        return;
    }
    conn_shut(c);
    c->tried = 0;
    c->next = http_names_first(c->shared->names);
    conn_connect(c, "no address");
}

/* --- in ----------------------------------------------------------------------------- */

/* 'cut': by the end of the connection; 'extra': more was read than the answer. */
static void
conn_end(struct http_conn *c, enum http_progress progress, bool cut, bool extra)
{
    if (progress == HTTP_TOOLARGE) {
        conn_fail(c, HTTP_END_TOOLARGE, "the answer is too large");
    } else if (progress == HTTP_BROKEN) {
        conn_fail(c, cut ? HTTP_END_LOST : HTTP_END_BROKEN, c->answer.why);
    } else if (extra || c->unsent.n > 0) {
        conn_fail(c, HTTP_END_BROKEN,
                  extra ? "more than one answer" : "an answer before the question");
    } else {
        if (c->answer.keeps)
            c->state = HTTP_CONN_IDLE;
        else
            conn_shut(c);
        c->shared->ended(c, HTTP_END_ANSWER, "");
    }
}

/* Nobody asked: the end of the connection, or something that nobody wants. */
static void
conn_idle_readable(struct http_conn *c)
{
    ssize_t n = conn_receive_some(c);

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return; /* TLS has words of its own */
    conn_shut(c);
    c->shared->gone(c);
}

static void
conn_receive(struct http_conn *c)
{
    enum http_progress progress;
    ssize_t n;
    size_t used;

    do {
        n = conn_receive_some(c);
        if (n == -1 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n == -1) {
            conn_fail(c, HTTP_END_LOST, strerror(errno));
            return;
        }
        used = 0;
        progress =
            n == 0 ? http_answer_end(&c->answer)
                   : http_answer_feed(&c->answer,
                                      span_of(c->shared->read_buffer, (size_t)n), &used);
        if (progress != HTTP_MORE) {
            conn_end(c, progress, n == 0, used < (size_t)n);
            return;
        }
    } while (c->session != NULL && http_tls_pending(c->session));
}

static void
conn_on_read(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;

    (void)fd;
    switch (c->state) {
    case HTTP_CONN_HANDSHAKE:
        if ((what & EV_TIMEOUT) != 0) {
            metrics_add(c->shared->metrics, METRIC_http_connect_failures, 1);
            conn_fail(c, HTTP_END_CONNECT, "the TLS handshake took too long");
        } else {
            conn_handshake(c);
        }
        break;
    case HTTP_CONN_BUSY:
        conn_receive(c);
        break;
    case HTTP_CONN_IDLE:
        conn_idle_readable(c);
        break;
    case HTTP_CONN_CLOSED:
    case HTTP_CONN_CONNECTING:
        break;
    }
}

static void
conn_on_write(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;

    (void)fd;
    if (c->failed_early) {
        c->failed_early = false;
        c->shared->ended(c, c->end, c->why);
        return;
    }
    switch (c->state) {
    case HTTP_CONN_CONNECTING:
        conn_on_connected(c, (what & EV_TIMEOUT) != 0);
        break;
    case HTTP_CONN_HANDSHAKE:
        conn_handshake(c);
        break;
    case HTTP_CONN_BUSY:
        conn_send(c);
        break;
    case HTTP_CONN_CLOSED:
    case HTTP_CONN_IDLE:
        break;
    }
}
