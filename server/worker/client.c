/*
 * client.c - one connection: bytes in, lines out.
 *
 * Plain events and direct reads and writes, not bufferevents: 3.0 instead of 7.0 system
 * calls a request (measured).  Input is parsed where it was read; only an incomplete
 * tail is copied.
 *
 *     OPEN --quit, framing lost, drain--> FINISHING --all sent--> LINGERING --> CLOSED
 *       +-- error, foreign protocol, reads too slowly ---------------------------^
 */
#include "server/worker/client.h"

#include "common/log.h"
#include "common/net.h"
#include "server/worker/hits.h"
#include "server/worker/request.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whoever connected so lately and said nothing yet is about to ask. */
#define NEWCOMER (50 * USEC_PER_MSEC)

/* --- reading on and off ---------------------------------------------------------- */

/* May one more request be taken on?  What is in the works and what is unread are
 * bounded; beyond that the client waits in its own socket. */
static bool
client_may_parse(const struct client *c)
{
    const struct config *config = c->worker->config;

    return c->state == CLIENT_OPEN && c->worker->nheirs == 0 &&
           c->nrequests < config->pipeline_max && c->nids < config->ids_max &&
           c->held + buf_size(&c->out) < config->output_soft_bytes;
}

void
client_update_reading(struct client *c)
{
    /* Not while input waits to be parsed: it would pile up as fast as it can be sent. */
    bool want = c->state == CLIENT_LINGERING || (client_may_parse(c) && !c->eof &&
                                                 !c->deaf && !list_linked(&c->in_parse));

    if (want == c->reading)
        return;
    c->reading = want;
    if (want) {
        event_add(c->read_event, NULL);
    } else {
        event_del(c->read_event);
        metrics_add(c->worker->metrics, METRIC_read_paused,
                    c->state == CLIENT_OPEN && c->worker->nheirs == 0);
    }
}

/* --- parsing ----------------------------------------------------------------------- */

/* A peer that only makes mistakes costs more than it is worth. */
static void
client_count_error(struct client *c)
{
    if (++c->nerrors < c->worker->config->errors_max)
        return;
    metrics_add(c->worker->metrics, METRIC_errors_closed, 1);
    client_finish(c);
}

/* The worker holds as much as it may: what the cache did not answer waits for nobody.
 * Dialects that know no such line hear of each id, from the planner. */
static void
client_check_busy(struct client *c, struct command *command)
{
    struct worker *w = c->worker;

    if (command->kind != COMMAND_FETCH || !worker_busy(w))
        return;
    metrics_add(w->metrics, METRIC_busy, 1);
    if (command_refuse_busy(command))
        w->look.n = 0;
}

struct request *
client_request(struct client *c, struct command *command,
               const struct item_result *results, usec_t now)
{
    struct request *r;

    client_check_busy(c, command);
    if ((r = request_new(c, command, now)) == NULL) {
        client_close(c, "no memory for a request");
        return NULL;
    }
    if (c->worker->look.n > 0)
        request_take_look(r, &c->worker->look, results);
    planner_run_now(c->worker, c);
    return r;
}

static void
client_take(struct client *c, struct command *command, usec_t now)
{
    struct forgetting forgetting = forget_run(c->worker, c->fd, command);
    struct item_result results[LOOK_MAX];
    struct request *r;

    sources_check(c->worker, command);
    if (hits_wait(c, command, now) || hits_answer(c, command, now, results) ||
        (r = client_request(c, command, results, now)) == NULL)
        return;
    r->forgetting = forgetting;
    if (command->kind == COMMAND_QUIT || command->close)
        client_finish(c);
    else if (command->kind == COMMAND_ERROR && command->error != COMMAND_ERROR_BUSY)
        client_count_error(c);
}

/* Takes requests off the front of 'input', so many in a turn and for so long that others
 * get theirs, but at least one; returns how many bytes are done with.  'now' is when the
 * first of them was there. */
static size_t
client_parse(struct client *c, struct span input, usec_t now)
{
    size_t done = 0, consumed;
    unsigned left = c->worker->config->turn_requests;
    struct command command;

    while (done < input.n && left > 0 && client_may_parse(c)) {
        struct span rest = span_of(input.p + done, input.n - done);

        if (done > 0 && worker_share_over(c->worker, now = clock_now()))
            break;
        if (c->waits)
            hits_settle_all(c->worker); /* answers leave in order */
        switch (protocol_detect(&c->session, rest)
                    ->parse(&c->worker->parser, &c->session, rest, &consumed, &command)) {
        case PARSE_MORE:
            return done;
        case PARSE_NOTHING:
            break;
        case PARSE_COMMAND:
            client_take(c, &command, now);
            left--;
            break;
        case PARSE_CLOSE:
            metrics_add(c->worker->metrics, METRIC_foreign_protocols, 1);
            client_close(c, "another protocol's bytes");
            break;
        }
        done += consumed;
    }
    return done;
}

/* Notes since when a request is incomplete: its time to get whole is bounded in total,
 * not from byte to byte. */
static void
client_note_partial(struct client *c, usec_t now)
{
    bool partial = (buf_size(&c->in) > 0 && buf_size(&c->in) == c->session.scanned) ||
                   c->session.swallow > 0;

    if (!partial)
        c->line_since = 0;
    else if (c->line_since == 0)
        c->line_since = now;
}

/* Input that is left and would be parsed, were there room: try again when there is. */
static void
client_parse_later(struct client *c)
{
    if (buf_size(&c->in) > c->session.scanned && client_may_parse(c) &&
        !list_linked(&c->in_parse))
        list_append(&c->worker->to_parse, &c->in_parse);
}

/* No more is read: what was asked before is still answered. */
static void
client_check_eof(struct client *c)
{
    if ((c->eof || c->deaf) && c->state == CLIENT_OPEN && !list_linked(&c->in_move) &&
        !list_linked(&c->in_parse) && buf_size(&c->in) == c->session.scanned)
        client_finish(c);
}

void
client_go_on(struct client *c)
{
    client_parse_later(c);
    client_check_eof(c);
    client_update_reading(c);
}

/* The same off the front of what was kept of the input. */
static size_t
client_parse_kept(struct client *c, usec_t now)
{
    size_t done = client_parse(c, buf_span(&c->in), now);

    if (c->waits)
        hits_settle_all(c->worker); /* its bytes go now */
    buf_consume(&c->in, done);
    return done;
}

static void
client_input(struct client *c, struct span input, usec_t now)
{
    size_t done;

    if (buf_size(&c->in) > 0) {
        buf_append_span(&c->in, input);
        done = client_parse_kept(c, now);
    } else {
        done = client_parse(c, input, now);
        if (done < input.n)
            buf_append(&c->in, input.p + done, input.n - done);
    }
    if (buf_failed(&c->in)) {
        client_close(c, "no memory for input");
        return;
    }
    if (done > 0)
        c->line_since = 0; /* what is left over began just now */
    client_parse_later(c);
    client_update_reading(c);
}

void
clients_parse(struct worker *w)
{
    struct list again = LIST_INIT(again), *node;

    list_splice(&again, &w->to_parse);
    while ((node = worker_next(w, &again)) != NULL) {
        struct client *c = CONTAINER_OF(node, struct client, in_parse);

        (void)client_parse_kept(c, clock_now());
        buf_shrink(&c->in, CLIENT_KEEP_BYTES);
        client_note_partial(c, clock_now());
        client_go_on(c);
    }
    list_splice(&again, &w->to_parse);
    list_splice(&w->to_parse, &again);
}

/* --- events -------------------------------------------------------------------------- */

static void
client_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;
    struct worker *w = c->worker;
    char *to = hits_read_room(w);
    usec_t now = clock_now();
    ssize_t n;

    (void)what;
    worker_share_begin(w, now);
    n = recv(fd, to, WORKER_READ_BYTES, 0); /* cheaper than read */
    if (n > 0) {
        metrics_add(w->metrics, METRIC_bytes_read, (uint64_t)n);
        if (c->state == CLIENT_OPEN)
            client_input(c, span_of(to, (size_t)n), now);
        if (c->waits)
            w->read_used = (size_t)(to - w->read_buffer) + (size_t)n;
    } else if (n == 0) {
        c->eof = true;
        if (c->state == CLIENT_LINGERING)
            client_close(c, "done");
        client_check_eof(c);
        client_update_reading(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        client_close(c, "reset by the peer");
    }
    if (n > 0 && c->state == CLIENT_OPEN) {
        c->heard = now;
        client_note_partial(c, now);
    }
    /* Setting a small fetch aside takes no time worth another look at the clock. */
    if (worker_share_over(w, c->waits ? now : clock_now()))
        event_base_loopbreak(w->base); /* the others are heard in the next turn */
}

static void
client_on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    client_ready(arg);
}

/* --- birth and death -------------------------------------------------------------------- */

struct client *
client_new(struct worker *w, int fd)
{
    size_t i, n = w->config->nsources;
    struct client *c = calloc(1, sizeof(*c) + n * sizeof(c->flows[0]));

    if (c == NULL)
        goto fail;
    c->worker = w;
    c->fd = fd;
    c->state = CLIENT_OPEN;
    /* Far beyond what may wait unread: only an answer gone wild meets it. */
    buf_init(&c->out, 2 * w->config->output_hard_bytes + w->config->line_max_bytes);
    c->heard = c->born = clock_now();
    c->session.id = (uint64_t)w->heritage->serial << 32 | ++w->last_session;
    list_init(&c->in_parse);
    list_init(&c->in_plan);
    list_init(&c->to_plan);
    list_init(&c->in_write);
    list_init(&c->in_blocked);
    list_init(&c->in_move);
    list_init(&c->requests);
    list_init(&c->tagged);
    for (i = 0; i < n; i++)
        loader_flow_init(&c->flows[i]);
    c->read_event = event_new(w->base, fd, EV_READ | EV_PERSIST, client_on_readable, c);
    c->write_event = event_new(w->base, fd, EV_WRITE, client_on_writable, c);
    if (c->read_event == NULL || c->write_event == NULL ||
        event_priority_set(c->read_event, PRIORITY_CLIENT) == -1 ||
        event_priority_set(c->write_event, PRIORITY_CLIENT) == -1 ||
        event_add(c->read_event, NULL) == -1)
        goto fail;
    c->reading = true;
    net_tune_client(fd);
    list_append(&w->clients, &c->link);
    metrics_add(w->metrics, METRIC_curr_connections, 1);
    return c;
fail:
    if (c != NULL && c->read_event != NULL)
        event_free(c->read_event);
    if (c != NULL && c->write_event != NULL)
        event_free(c->write_event);
    free(c);
    close(fd);
    return NULL;
}

void
client_finish(struct client *c)
{
    if (c->state != CLIENT_OPEN)
        return;
    c->state = CLIENT_FINISHING;
    client_update_reading(c);
    client_ready(c);
}

void
client_drain(struct client *c)
{
    int unread = 0, unacked = 0;
    bool unparsed;

    if (list_linked(&c->in_move))
        return;
    /* What has arrived was asked in time; and bytes that nobody reads would turn our
     * close into a reset, which destroys what was answered before. */
    if (c->state == CLIENT_OPEN && ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0)
        client_on_readable(c->fd, EV_READ, c);
    if (c->waits)
        hits_settle_all(c->worker);
    if (c->state == CLIENT_OPEN && c->heard == c->born &&
        clock_now() - c->born < NEWCOMER && c->worker->nheirs == 0)
        return;
    c->deaf = true;
    unparsed = list_linked(&c->in_parse) || buf_size(&c->in) > c->session.scanned;
    if (c->state == CLIENT_OPEN && c->nrequests == 0 && buf_size(&c->out) == 0 &&
        !unparsed && ioctl(c->fd, SIOCOUTQ, &unacked) == 0 && unread == 0 && unacked == 0)
        client_close(c, "drain");
    else if (c->worker->nheirs > 0)
        client_finish(c); /* nothing is parsed here any more */
    else
        client_go_on(c);
}

void
client_close(struct client *c, const char *reason)
{
    if (c->state == CLIENT_CLOSED)
        return;
    log_debug("client fd=%d closed reason=\"%s\" requests=%u", c->fd, reason,
              c->nrequests);
    c->state = CLIENT_CLOSED;
    c->reading = false;
    if (c->waits)
        hits_forget(c);
    event_del(c->read_event);
    event_del(c->write_event);
    list_remove(&c->in_parse);
    list_remove(&c->in_plan);
    list_remove(&c->in_write);
    list_remove(&c->in_blocked);
    list_remove(&c->link);
    list_append(&c->worker->to_free, &c->link);
    /* Who is on the way to an heir counts there. */
    metrics_sub(c->worker->metrics, METRIC_curr_connections, !list_linked(&c->in_move));
    list_remove(&c->in_move);
}

static void
client_free(struct client *c)
{
    size_t i;

    while (!list_empty(&c->requests))
        request_free(CONTAINER_OF(c->requests.next, struct request, in_client));
    while (!list_empty(&c->tagged))
        request_free(CONTAINER_OF(c->tagged.next, struct request, in_client));
    for (i = 0; i < c->worker->config->nsources; i++)
        loader_flow_fini(&c->flows[i]);
    event_free(c->read_event);
    event_free(c->write_event);
    close(c->fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    free(c);
}

void
clients_free(struct worker *w)
{
    struct list *node;

    while ((node = w->state == WORKER_DONE ? list_pop(&w->to_free)
                                           : worker_next(w, &w->to_free)) != NULL)
        client_free(CONTAINER_OF(node, struct client, link));
}
