/*
 * client_write.c - answers leave: in order, in parts, one write a turn.
 *
 * Owns: which of a client's requests may be said now, how much of it in one turn, and
 * the end of a conversation.
 * Promise: answers leave in request order, tagged ones when they are ready; one client's
 * long answer takes a part of a turn like everybody else's, and a short one waits for none
 * of them; nothing that was answered is destroyed by the way we close.
 */
#include "server/worker/client.h"
#include "server/worker/request.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

/* How long a peer may take to read our last bytes and close. */
#define LINGER (1 * USEC_PER_SEC)

/* What is said to one client in one turn, a request's last part excepted. */
#define PART_BYTES ((size_t)64 << 10)

/* Who has no more than this to hear is answered in the turn that knows the answer. */
#define LITTLE_BYTES ((size_t)16 << 10)

/* Its requests with their items, and what is to be sent already. */
static bool
client_says_little(const struct client *c)
{
    return c->held + buf_size(&c->out) <= LITTLE_BYTES;
}

void
client_ready(struct client *c)
{
    struct worker *w = c->worker;

    if (!list_linked(&c->in_write) && c->state != CLIENT_CLOSED)
        list_append(client_says_little(c) ? &w->to_write_first : &w->to_write,
                    &c->in_write);
}

void
client_ready_first(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    list_remove(&c->in_write);
    list_prepend(&c->worker->to_write_first, &c->in_write);
}

/* --- saying -------------------------------------------------------------------------- */

/* Output at which the rest waits for the next turn, or for the client to read. */
static size_t
client_part(const struct client *c)
{
    size_t soft = c->worker->config->output_soft_bytes;

    return soft < PART_BYTES ? soft : PART_BYTES;
}

/* Says what there is of 'r', at most up to the bound; true: it is all said, and freed. */
static bool
client_say(struct client *c, struct request *r)
{
    bool complete = r->complete;

    c->heard = clock_now(); /* whoever waited for us was not idle */
    c->saying = r;
    if (!request_render(r, &c->out, client_part(c), c->heard))
        return false;
    c->saying = NULL;
    if (!complete)
        return true;
    if (r->expired)
        deadlines_count(c->worker, r->deadline.at, clock_now());
    request_free(r);
    return true;
}

/* Has a request lines to show now? */
static bool
client_can_say(const struct request *r)
{
    return r->complete || request_has_due(r);
}

/* Answers in order as far as they are complete, tagged ones in any order.  true: the
 * bound left some unsaid. */
static bool
client_say_ready(struct client *c)
{
    struct list *node, *after;

    /* It may stand in the middle of a line. */
    if (c->saying != NULL &&
        (buf_size(&c->out) >= client_part(c) || !client_say(c, c->saying)))
        return true;
    while (!list_empty(&c->requests)) {
        struct request *r = CONTAINER_OF(c->requests.next, struct request, in_client);
        bool complete = r->complete;

        if (!client_can_say(r))
            break;
        if (buf_size(&c->out) >= client_part(c) || !client_say(c, r))
            return true;
        if (!complete)
            break; /* more of it comes later */
    }
    LIST_EACH_SAFE (node, after, &c->tagged) {
        struct request *r = CONTAINER_OF(node, struct request, in_client);

        if (client_can_say(r) &&
            (buf_size(&c->out) >= client_part(c) || !client_say(c, r)))
            return true;
    }
    return false;
}

/* --- sending ------------------------------------------------------------------------- */

/* One write(2) for all there is to say. */
static void
client_send(struct client *c)
{
    struct span out = buf_span(&c->out);
    ssize_t n = send(c->fd, out.p, out.n, MSG_NOSIGNAL);

    if (n == -1 && errno != EAGAIN && errno != EINTR) {
        client_close(c, "reset by the peer");
        return;
    }
    if (n > 0) {
        metrics_add(c->worker->metrics, METRIC_bytes_written, (uint64_t)n);
        buf_consume(&c->out, (size_t)n);
    }
    if (buf_size(&c->out) == 0) {
        list_remove(&c->in_blocked);
        buf_shrink(&c->out, CLIENT_KEEP_BYTES);
        return;
    }
    if (n > 0 || !list_linked(&c->in_blocked))
        c->stalled_since = clock_now();
    if (!list_linked(&c->in_blocked))
        list_append(&c->worker->blocked, &c->in_blocked);
    event_add(c->write_event, NULL);
}

/* All was sent: close, but give the peer time to read it.  Closing a socket with unread
 * input makes the kernel send a reset, which destroys the answer on its way. */
static void
client_linger(struct client *c)
{
    if (c->eof || shutdown(c->fd, SHUT_WR) == -1) {
        client_close(c, "done");
        return;
    }
    c->state = CLIENT_LINGERING;
    c->linger_until = clock_now() + LINGER;
    buf_fini(&c->in);
    list_append(&c->worker->blocked, &c->in_blocked);
    client_update_reading(c);
}

static void
client_flush(struct client *c)
{
    bool more;

    if (c->state == CLIENT_CLOSED || c->state == CLIENT_LINGERING ||
        list_linked(&c->in_move))
        return;
    more = client_say_ready(c);
    if (buf_size(&c->out) > 0 && !buf_failed(&c->out))
        client_send(c);
    if (buf_failed(&c->out) || buf_size(&c->out) > c->worker->config->output_hard_bytes) {
        metrics_add(c->worker->metrics, METRIC_output_closed, 1);
        client_close(c, "too much unread output");
        return;
    }
    if (c->state == CLIENT_FINISHING && c->nrequests == 0 && buf_size(&c->out) == 0)
        client_linger(c);
    client_go_on(c);
    /* The bound left something unsaid: it follows when this is sent. */
    if (more && buf_size(&c->out) == 0)
        client_ready(c);
}

/* Those of the list, each once, while the share lasts; who is left comes first the next
 * time. */
static void
clients_flush(struct worker *w, struct list *list)
{
    struct list ready = LIST_INIT(ready), *node;

    list_splice(&ready, list);
    while ((node = worker_next(w, &ready)) != NULL)
        client_flush(CONTAINER_OF(node, struct client, in_write));
    list_splice(&ready, list);
    list_splice(list, &ready);
}

void
clients_write_first(struct worker *w)
{
    clients_flush(w, &w->to_write_first);
}

void
clients_write(struct worker *w)
{
    clients_flush(w, &w->to_write);
}
