/*
 * fetch.c - the loop against a server.
 *
 * One process, one epoll.  A connection owns a ring of requests: answers come back
 * in request order, so the oldest request in the ring is the one being answered.
 *
 *     ring:   [answered] [being answered] [sent] [sent] [free]
 *                         ^ head                  ^ head + inflight
 *
 * Closed loop: a connection asks again as soon as it has room.  When the time is over
 * nothing more is sent, the tally is frozen and the answers still due are awaited.
 * Open loop: requests fall due at the plan's rate whatever the server does, and one that
 * finds no connection with room waits for it; its latency counts from when it was due,
 * so a server that stalls is charged for all it held up.  What fell due within the time
 * is all sent and all counted.
 * Either way answers are awaited for GRACE at most; what is missing then is lost.
 */
#include "tests/load/fetch.h"

#include "common/buf.h"
#include "common/net.h"
#include "tests/load/deck.h"
#include "tests/load/dialect.h"
#include "tests/load/echo.h"
#include "tests/load/expect.h"
#include "tests/load/pace.h"
#include "tests/load/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)
#define EVENTS 256
#define GRACE (10 * USEC_PER_SEC)
#define RECONNECT (10 * USEC_PER_MSEC)
#define IDLE (100 * USEC_PER_MSEC)

struct conn {
    int fd;        /* -1: not connected */
    struct buf in; /* what came of an answer that is not whole yet */
    struct buf out;
    bool wants_write;
    struct reply *ring;
    size_t head;
    size_t inflight;
};

struct fetch {
    const struct plan *plan;
    struct tally *tally;
    struct judge judge;
    struct net_addr addr;
    struct deck *deck;
    struct expect *expect;
    uint32_t *echo; /* the ids that an echo server answers with, or NULL */
    struct pace pace;
    struct conn *conns;
    size_t turn; /* the connection that gets the next request of an open loop */
    char *read_buffer;
    int epoll;
    usec_t end;
    uint64_t most; /* requests to be sent; 0: no bound but the time */
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

/* May one more request be sent?  'sent' becomes the moment its latency counts from. */
static bool
may_send(const struct fetch *f, usec_t now, usec_t *sent)
{
    if (f->most > 0 && f->sent >= f->most)
        return false;
    *sent = f->plan->rate > 0 ? pace_due(&f->pace, f->sent) : now;
    return f->plan->rate > 0 ? *sent <= now && *sent < f->end : !f->tally->frozen;
}

/* Puts one new request into the ring. */
static void
conn_put(struct fetch *f, struct conn *c, usec_t sent)
{
    size_t at = (c->head + c->inflight) % f->plan->pipeline;
    const uint32_t *ids = deck_deal(f->deck);

    reply_begin(&c->ring[at], &f->judge, f->echo != NULL ? f->echo : ids, f->plan->ids,
                sent);
    f->plan->dialect->ask(&c->out, ids, f->plan->ids);
    c->inflight++;
    f->inflight++;
    f->sent++;
}

static void
conn_send(struct fetch *f, struct conn *c)
{
    if (buf_failed(&c->out))
        conn_lost(f, c, "out of memory");
    else
        conn_write(f, c);
}

/* Fills the ring with new requests and sends them with one write. */
static void
conn_ask(struct fetch *f, struct conn *c, usec_t now)
{
    usec_t sent;

    if (c->fd == -1 || c->inflight == f->plan->pipeline)
        return;
    while (c->inflight < f->plan->pipeline && may_send(f, now, &sent))
        conn_put(f, c, sent);
    if (buf_size(&c->out) > 0)
        conn_send(f, c);
}

/* Open loop: gives what is due to connections with room, one each in turn. */
static void
ask_due(struct fetch *f, usec_t now)
{
    size_t n = f->plan->connections, full = 0;
    usec_t sent;

    while (full < n && may_send(f, now, &sent)) {
        struct conn *c = &f->conns[f->turn];

        f->turn = f->turn + 1 == n ? 0 : f->turn + 1;
        if (c->fd == -1 || c->inflight == f->plan->pipeline) {
            full++;
            continue;
        }
        full = 0;
        conn_put(f, c, sent);
        conn_send(f, c);
    }
}

/* Hands 'in' to the requests it answers; returns how much of it is done with. */
static size_t
conn_judge(struct fetch *f, struct conn *c, struct span in, usec_t now)
{
    enum reply_state state = REPLY_DONE;
    size_t used, done = 0;

    while (state == REPLY_DONE && done < in.n) {
        struct reply *r = &c->ring[c->head];

        if (c->inflight == 0) {
            tally_wrong(f->tally, "bytes that nobody asked for");
            state = REPLY_BROKEN;
            break;
        }
        state = f->plan->dialect->feed(r, &f->judge, span_of(in.p + done, in.n - done),
                                       &used);
        done += used;
        if (state == REPLY_DONE) {
            tally_request(f->tally, now - r->sent);
            c->head = c->head + 1 == f->plan->pipeline ? 0 : c->head + 1;
            c->inflight--;
            f->inflight--;
        }
    }
    if (state == REPLY_BROKEN)
        conn_lost(f, c, "framing lost");
    return done;
}

/* Judges what was read: where it lies, unless something waited for it. */
static void
conn_take(struct fetch *f, struct conn *c, struct span read, usec_t now)
{
    bool waited = buf_size(&c->in) > 0;
    size_t done = 0;

    if (waited)
        buf_append_span(&c->in, read);
    if (!buf_failed(&c->in))
        done = conn_judge(f, c, waited ? buf_span(&c->in) : read, now);
    if (c->fd == -1)
        return; /* lost over what it said, and its buffers are empty */
    if (waited)
        buf_consume(&c->in, done);
    else
        buf_append(&c->in, read.p + done, read.n - done);
    if (buf_failed(&c->in))
        conn_lost(f, c, "out of memory");
}

static void
conn_read(struct fetch *f, struct conn *c)
{
    ssize_t n = recv(c->fd, f->read_buffer, READ_BYTES, 0);
    usec_t now;

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_lost(f, c, n == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    now = clock_now();
    if (now >= f->end && f->plan->rate == 0)
        f->tally->frozen = true;
    conn_take(f, c, span_of(f->read_buffer, (size_t)n), now);
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
        if (f->plan->rate == 0)
            conn_ask(f, c, now);
    }
}

static bool
has_room(const struct fetch *f)
{
    return f->inflight < (f->plan->connections - f->down) * (uint64_t)f->plan->pipeline;
}

/* How long nothing but an answer can need us. */
static usec_t
patience(const struct fetch *f, usec_t now)
{
    usec_t wait = f->end > now ? f->end - now : IDLE, due;

    if (f->plan->rate > 0 && has_room(f) && (f->most == 0 || f->sent < f->most)) {
        due = pace_due(&f->pace, f->sent);
        if (due < now + wait)
            wait = due > now ? due - now : 0;
    }
    if (f->down > 0 && f->plan->reconnect && wait > RECONNECT)
        wait = RECONNECT;
    return wait < IDLE ? wait : IDLE;
}

static void
turn(struct fetch *f)
{
    struct epoll_event events[EVENTS];
    usec_t now = clock_now(), wait = patience(f, now), sent;
    struct timespec ts = { (time_t)(wait / USEC_PER_SEC),
                           (long)(wait % USEC_PER_SEC) * 1000 };
    int i, n = epoll_pwait2(f->epoll, events, EVENTS, &ts, NULL);

    for (i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;

        if (c->fd != -1 && (events[i].events & EPOLLOUT) != 0)
            conn_write(f, c);
        if (c->fd != -1 && (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            conn_read(f, c);
    }
    now = clock_now();
    if (now >= f->end && f->plan->rate == 0)
        f->tally->frozen = true;
    if (f->down > 0 && f->plan->reconnect && may_send(f, now, &sent))
        reopen(f, now);
    if (f->plan->rate > 0)
        ask_due(f, now);
}

/* Is there anything left to wait for? */
static bool
finished(const struct fetch *f)
{
    usec_t now = clock_now(), sent;

    if (f->inflight > 0)
        return false;
    if (f->down == f->plan->connections && !f->plan->reconnect)
        return true;
    if (f->most > 0 && f->sent >= f->most)
        return true;
    return now >= f->end && !may_send(f, now, &sent);
}

static int
conns_init(struct fetch *f)
{
    const struct plan *plan = f->plan;
    size_t i;

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
        if (conn_open(f, c) == -1)
            return -1;
    }
    return 0;
}

static void
conns_fini(struct fetch *f)
{
    size_t i;

    for (i = 0; f->conns != NULL && i < f->plan->connections; i++) {
        struct conn *c = &f->conns[i];

        if (c->fd != -1)
            close(c->fd);
        buf_fini(&c->in);
        buf_fini(&c->out);
        free(c->ring);
    }
    free(f->conns);
}

static void
loop(struct fetch *f)
{
    usec_t start = clock_now(), last = start, cpu = tally_cpu_now();
    uint64_t seen = 0;
    size_t i;

    f->end = start + f->plan->duration;
    pace_start(&f->pace, start, f->plan->rate);
    for (i = 0; i < f->plan->connections && f->plan->rate == 0; i++)
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
    if (f->tally->frozen || (f->plan->rate > 0 && last < f->end && f->most == 0))
        f->tally->elapsed = f->plan->duration;
    else
        f->tally->elapsed = last - start;
    f->tally->cpu = tally_cpu_now() - cpu;
}

/* What is to be asked, and what must come back. */
static int
prepare(struct fetch *f)
{
    const struct plan *plan = f->plan;

    if ((f->deck = deck_new(plan)) == NULL)
        return -1;
    f->most = plan->sweep ? deck_requests(f->deck) : plan->requests;
    if (plan->dialect->echoes) {
        f->echo = calloc(plan->ids, sizeof(*f->echo));
        if (f->echo == NULL)
            return -1;
        echo_choose(plan->rows, plan->hits, f->echo, plan->ids);
    }
    if (plan->verify == VERIFY_ALL || plan->verify == VERIFY_SAMPLE) {
        if ((f->expect = expect_new(plan->rows)) == NULL)
            return -1;
    }
    f->judge = (struct judge){ plan, f->expect, f->tally };
    f->read_buffer = malloc(READ_BYTES);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    return f->read_buffer == NULL || f->epoll == -1 ? -1 : 0;
}

int
fetch_run(const struct plan *plan, struct tally *t)
{
    struct fetch f = { .plan = plan, .tally = t, .epoll = -1 };
    const char *why = NULL;
    int result = -1;

    if (!net_addr_parse(plan->address, &f.addr, &why)) {
        fprintf(stderr, "loadgen: address %s: %s\n", plan->address, why);
        return -1;
    }
    if (prepare(&f) == 0 && conns_init(&f) == 0) {
        loop(&f);
        result = 0;
    } else {
        fprintf(stderr, "loadgen: %s: %s\n", plan->address, strerror(errno));
    }
    conns_fini(&f);
    deck_free(&f.deck);
    expect_free(&f.expect);
    free(f.echo);
    free(f.read_buffer);
    if (f.epoll != -1)
        close(f.epoll);
    return result;
}
