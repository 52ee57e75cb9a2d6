/*
 * handover_take.c - the heir's side: it takes clients in.
 *
 * The receipt leaves before anything is read from the client, and a client is taken only
 * when there is room for its receipt: if we die in between, whoever gave it to us finds
 * it as it was.
 */
#include "server/worker/handover.h"

#include "common/log.h"
#include "server/worker/accept.h"
#include "server/worker/client.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Taken in one turn, so that our other clients are served meanwhile. */
#define TAKES_PER_WAKEUP 16

struct donor {
    struct list link; /* worker.donors */
    struct worker *worker;
    int fd;
    struct event *read_event;
    struct event *write_event;
};

static void
donor_free(struct donor *d)
{
    if (d->read_event != NULL)
        event_free(d->read_event);
    if (d->write_event != NULL)
        event_free(d->write_event);
    list_remove(&d->link);
    close(d->fd);
    free(d);
}

/* --- one client ------------------------------------------------------------------------ */

/* A message as it came. */
struct arrival {
    struct handover_head head;
    const char *session;
    struct span input; /* when it came along */
    int fds[FDPASS_MAX];
    size_t nfds;
};

static bool
arrival_parse(struct arrival *a, const char *message, size_t n)
{
    if (n < sizeof(a->head))
        return false;
    memcpy(&a->head, message, sizeof(a->head));
    if (a->head.magic != HANDOVER_MAGIC || a->head.session_bytes > n - sizeof(a->head))
        return false;
    a->session = message + sizeof(a->head);
    a->input = span_of(a->session + a->head.session_bytes,
                       n - sizeof(a->head) - a->head.session_bytes);
    return a->nfds == (a->head.input_bytes > HANDOVER_INLINE ? 2u : 1u) &&
           (a->nfds == 2 || a->input.n == a->head.input_bytes);
}

/* What the client had begun to ask. */
static bool
arrival_input(const struct arrival *a, struct buf *in)
{
    size_t left = (size_t)a->head.input_bytes;
    ssize_t n;
    char *to;

    if (a->nfds == 1) {
        buf_append_span(in, a->input);
        return !buf_failed(in);
    }
    if ((to = buf_reserve(in, left)) == NULL)
        return false;
    if ((n = pread(a->fds[1], to, left, 0)) != (ssize_t)left)
        return false;
    buf_commit(in, left);
    return true;
}

/* Takes the first descriptor; NULL: it is closed again, and still the donor's. */
static struct client *
client_take_in(struct worker *w, const struct arrival *a)
{
    struct session session;
    struct client *c;

    if (metrics_get(w->metrics, METRIC_curr_connections) >=
            accept_max_clients(w->config) ||
        !handover_get_session(&a->head, a->session, &session)) {
        close(a->fds[0]);
        return NULL;
    }
    if ((c = client_new(w, a->fds[0])) == NULL)
        return NULL;
    c->session = session;
    c->heard = a->head.heard;
    c->line_since = a->head.line_since;
    c->nerrors = a->head.nerrors;
    if (!arrival_input(a, &c->in)) {
        client_close(c, "no memory for input");
        return NULL;
    }
    metrics_add(w->metrics, METRIC_moved_connections, 1);
    return c;
}

enum take {
    TAKE_ONE,
    TAKE_NONE, /* nobody comes now */
    TAKE_OVER, /* nobody comes any more */
};

/* Takes the next one in and says so. */
static enum take
donor_take(struct donor *d)
{
    struct worker *w = d->worker;
    struct handover_receipt receipt = { .magic = HANDOVER_MAGIC };
    struct arrival a;
    struct client *c = NULL;
    size_t i;
    char *to = hits_read_room(w);
    ssize_t n = fdpass_recv(d->fd, to, WORKER_READ_BYTES, a.fds, &a.nfds);

    if (n <= 0)
        return n == -1 && (errno == EAGAIN || errno == EINTR) ? TAKE_NONE : TAKE_OVER;
    if (arrival_parse(&a, to, (size_t)n))
        c = client_take_in(w, &a);
    else if (a.nfds > 0)
        close(a.fds[0]);
    for (i = 1; i < a.nfds; i++)
        close(a.fds[i]);
    receipt.taken = c != NULL;
    n = send(d->fd, &receipt, sizeof(receipt), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (c != NULL)
        client_go_on(c); /* what came along may be a whole request */
    return n == (ssize_t)sizeof(receipt) ? TAKE_ONE : TAKE_OVER;
}

/* --- donors ------------------------------------------------------------------------------ */

static bool
donor_has_room(const struct donor *d)
{
    struct pollfd p = { .fd = d->fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLHUP)) != 0;
}

static void
donor_on_event(evutil_socket_t fd, short what, void *arg)
{
    struct donor *d = arg;
    enum take took = TAKE_ONE;
    int i;

    (void)fd;
    (void)what;
    for (i = 0; i < TAKES_PER_WAKEUP && took == TAKE_ONE; i++) {
        if (!donor_has_room(d)) {
            event_del(d->read_event);
            event_add(d->write_event, NULL);
            return;
        }
        took = donor_take(d);
    }
    if (took == TAKE_OVER)
        donor_free(d);
    else
        event_add(d->read_event, NULL);
}

void
donor_add(struct worker *w, int fd)
{
    struct donor *d = w->state == WORKER_SERVING ? calloc(1, sizeof(*d)) : NULL;

    if (d == NULL) {
        close(fd);
        return;
    }
    d->worker = w;
    d->fd = fd;
    list_append(&w->donors, &d->link);
    d->read_event = event_new(w->base, fd, EV_READ | EV_PERSIST, donor_on_event, d);
    d->write_event = event_new(w->base, fd, EV_WRITE, donor_on_event, d);
    if (d->read_event == NULL || d->write_event == NULL ||
        event_add(d->read_event, NULL) == -1)
        donor_free(d);
}

void
donors_close(struct worker *w)
{
    while (!list_empty(&w->donors))
        donor_free(CONTAINER_OF(w->donors.next, struct donor, link));
}
