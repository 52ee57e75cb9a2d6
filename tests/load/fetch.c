/*
 * fetch.c - the closed loop against fetchd.
 *
 * One process, one epoll.  A connection owns a ring of requests: answers come back
 * in request order, so the oldest request in the ring is the one being answered.
 *
 *     ring:   [answered] [being answered] [sent] [sent] [free]
 *                         ^ head                  ^ head + inflight
 *
 * When the time is over nothing more is sent, the tally is frozen and the answers
 * still due are awaited, at most GRACE; what is missing then counts as lost.
 */
#include "tests/load/fetch.h"

#include "common/buf.h"
#include "common/net.h"
#include "tests/load/ids.h"
#include "tests/load/reply.h"
#include "tests/load/row.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_BYTES (128 << 10)
#define EVENTS 64
#define GRACE (10 * USEC_PER_SEC)
#define RECONNECT_MS 10

struct conn {
    int fd; /* -1: not connected */
    struct buf in;
    struct buf out;
    bool wants_write;
    struct reply *ring;
    size_t head;
    size_t inflight;
};

struct fetch {
    const struct plan *plan;
    struct tally *tally;
    struct net_addr addr;
    struct ids *ids;
    struct conn *conns;
    int epoll;
    usec_t end;
    uint64_t sent;
    uint64_t inflight;
    size_t down; /* connections to be opened again */
};

static int
conn_open(struct fetch *f, struct conn *c)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

    c->fd = socket(f->addr.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd == -1)
        return -1;
    if (connect(c->fd, (const struct sockaddr *)&f->addr.ss, f->addr.len) == -1 ||
        fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1 ||
        epoll_ctl(f->epoll, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
        net_close_keep_errno(c->fd);
        c->fd = -1;
        return -1;
    }
    net_tune_client(c->fd);
    c->wants_write = false;
    return 0;
}

/* The requests on their way are lost; only --reconnect goes on after that. */
static void
conn_lost(struct fetch *f, struct conn *c, const char *why)
{
    struct tally *t = f->tally;

    close(c->fd);
    c->fd = -1;
    t->disconnects++;
    t->lost += c->inflight;
    if (!f->plan->reconnect)
        tally_wrong(t, "connection lost with %zu requests in flight: %s", c->inflight,
                    why);
    f->inflight -= c->inflight;
    c->inflight = 0;
    buf_clear(&c->in);
    buf_clear(&c->out);
    f->down++;
}

static void
conn_watch(struct fetch *f, struct conn *c, bool wants_write)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

    if (c->wants_write == wants_write)
        return;
    if (wants_write)
        ev.events |= EPOLLOUT;
    if (epoll_ctl(f->epoll, EPOLL_CTL_MOD, c->fd, &ev) == 0)
        c->wants_write = wants_write;
}

static void
conn_write(struct fetch *f, struct conn *c)
{
    struct span out = buf_span(&c->out);
    ssize_t n;

    if (out.n > 0) {
        n = send(c->fd, out.p, out.n, MSG_NOSIGNAL);
        if (n > 0) {
            buf_consume(&c->out, (size_t)n);
        } else if (n == -1 && errno != EAGAIN && errno != EINTR) {
            conn_lost(f, c, strerror(errno));
            return;
        }
    }
    conn_watch(f, c, buf_size(&c->out) > 0);
}

static bool
may_send(const struct fetch *f)
{
    return !f->tally->frozen && (f->plan->requests == 0 || f->sent < f->plan->requests);
}

/* Fills the ring with new requests and sends them with one write. */
static void
conn_ask(struct fetch *f, struct conn *c, usec_t now)
{
    size_t i;

    while (c->inflight < f->plan->pipeline && may_send(f)) {
        struct reply *r = &c->ring[(c->head + c->inflight) % f->plan->pipeline];

        ids_draw(f->ids, r->ids, r->nids);
        reply_begin(r, now);
        BUF_APPEND_LIT(&c->out, "fetch");
        for (i = 0; i < r->nids; i++) {
            char *to = buf_reserve(&c->out, 11);

            if (to == NULL)
                break;
            *to = ' ';
            buf_commit(&c->out, 1 + row_digits(r->ids[i], to + 1));
        }
        BUF_APPEND_LIT(&c->out, "\r\n");
        c->inflight++;
        f->inflight++;
        f->sent++;
    }
    if (buf_failed(&c->out))
        conn_lost(f, c, "out of memory");
    else
        conn_write(f, c);
}

/* Hands what has come to the requests it answers. */
static void
conn_judge(struct fetch *f, struct conn *c, usec_t now)
{
    enum reply_state state = REPLY_DONE;
    size_t used;

    while (state == REPLY_DONE && buf_size(&c->in) > 0) {
        struct reply *r = &c->ring[c->head];

        if (c->inflight == 0) {
            tally_wrong(f->tally, "bytes that nobody asked for");
            state = REPLY_BROKEN;
            break;
        }
        state = reply_feed(r, f->plan, f->tally, buf_span(&c->in), &used);
        buf_consume(&c->in, used);
        if (state == REPLY_DONE) {
            tally_request(f->tally, now - r->sent);
            c->head = (c->head + 1) % f->plan->pipeline;
            c->inflight--;
            f->inflight--;
        }
    }
    if (state == REPLY_BROKEN)
        conn_lost(f, c, "framing lost");
}

static void
conn_read(struct fetch *f, struct conn *c)
{
    char *to = buf_reserve(&c->in, READ_BYTES);
    usec_t now;
    ssize_t n;

    if (to == NULL) {
        conn_lost(f, c, "out of memory");
        return;
    }
    n = recv(c->fd, to, READ_BYTES, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_lost(f, c, n == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    buf_commit(&c->in, (size_t)n);
    now = clock_now();
    if (now >= f->end)
        f->tally->frozen = true;
    conn_judge(f, c, now);
    if (c->fd != -1 && c->inflight < f->plan->pipeline)
        conn_ask(f, c, now);
}

/* Opens again what was lost, if the plan says so. */
static void
reopen(struct fetch *f, usec_t now)
{
    size_t i;

    for (i = 0; i < f->plan->connections && f->down > 0; i++) {
        struct conn *c = &f->conns[i];

        if (c->fd != -1)
            continue;
        if (conn_open(f, c) == -1)
            return;
        f->down--;
        c->head = 0;
        conn_ask(f, c, now);
    }
}

static void
turn(struct fetch *f)
{
    struct epoll_event events[EVENTS];
    usec_t now = clock_now();
    int i, n, wait_ms = 100;

    if (f->end > now && f->end - now < 100 * USEC_PER_MSEC)
        wait_ms = (int)((f->end - now) / USEC_PER_MSEC) + 1;
    if (f->down > 0 && f->plan->reconnect && wait_ms > RECONNECT_MS)
        wait_ms = RECONNECT_MS;
    n = epoll_wait(f->epoll, events, EVENTS, wait_ms);
    for (i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;

        if (c->fd != -1 && (events[i].events & EPOLLOUT) != 0)
            conn_write(f, c);
        if (c->fd != -1 && (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            conn_read(f, c);
    }
    now = clock_now();
    if (now >= f->end)
        f->tally->frozen = true;
    if (f->down > 0 && f->plan->reconnect && may_send(f))
        reopen(f, now);
}

/* Is there anything left to wait for? */
static bool
finished(const struct fetch *f)
{
    if (f->inflight > 0)
        return false;
    return !may_send(f) || (f->down == f->plan->connections && !f->plan->reconnect);
}

static int
conns_init(struct fetch *f)
{
    const struct plan *plan = f->plan;
    size_t i, j;

    if ((f->conns = calloc(plan->connections, sizeof(*f->conns))) == NULL)
        return -1;
    for (i = 0; i < plan->connections; i++)
        f->conns[i].fd = -1;
    for (i = 0; i < plan->connections; i++) {
        struct conn *c = &f->conns[i];

        buf_init(&c->in, 0);
        buf_init(&c->out, 0);
        if ((c->ring = calloc(plan->pipeline, sizeof(*c->ring))) == NULL)
            return -1;
        for (j = 0; j < plan->pipeline; j++) {
            c->ring[j].nids = plan->ids;
            if ((c->ring[j].ids = calloc(plan->ids, sizeof(uint32_t))) == NULL)
                return -1;
        }
        if (conn_open(f, c) == -1)
            return -1;
    }
    return 0;
}

static void
conns_fini(struct fetch *f)
{
    size_t i, j;

    for (i = 0; f->conns != NULL && i < f->plan->connections; i++) {
        struct conn *c = &f->conns[i];

        if (c->fd != -1)
            close(c->fd);
        buf_fini(&c->in);
        buf_fini(&c->out);
        for (j = 0; c->ring != NULL && j < f->plan->pipeline; j++)
            free(c->ring[j].ids);
        free(c->ring);
    }
    free(f->conns);
}

static void
loop(struct fetch *f, usec_t *elapsed)
{
    usec_t start = clock_now(), last = start;
    uint64_t seen = 0;
    size_t i;

    f->end = start + f->plan->duration;
    for (i = 0; i < f->plan->connections; i++)
        conn_ask(f, &f->conns[i], clock_now());
    while (!finished(f)) {
        turn(f);
        if (f->tally->requests != seen) {
            seen = f->tally->requests;
            last = clock_now();
        }
        if (clock_now() > f->end + GRACE) {
            tally_wrong(f->tally, "%llu requests without an answer",
                        (unsigned long long)f->inflight);
            f->tally->lost += f->inflight;
            break;
        }
    }
    *elapsed = f->tally->frozen ? f->plan->duration : last - start;
}

int
fetch_run(const struct plan *plan, struct tally *t, usec_t *elapsed)
{
    struct fetch f = { .plan = plan, .tally = t, .epoll = -1 };
    const char *why = NULL;
    int result = -1;

    if (!net_addr_parse(plan->address, &f.addr, &why)) {
        fprintf(stderr, "loadgen: address %s: %s\n", plan->address, why);
        return -1;
    }
    f.epoll = epoll_create1(EPOLL_CLOEXEC);
    f.ids = ids_new(plan->seed, plan->range, plan->ids);
    if (f.epoll != -1 && f.ids != NULL && conns_init(&f) == 0) {
        loop(&f, elapsed);
        result = 0;
    } else {
        fprintf(stderr, "loadgen: %s: %s\n", plan->address, strerror(errno));
    }
    conns_fini(&f);
    ids_free(&f.ids);
    if (f.epoll != -1)
        close(f.epoll);
    return result;
}
