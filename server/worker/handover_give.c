/*
 * handover_give.c - the retiring worker's side: it hands its clients over.
 *
 * From the first heir on nothing is read from clients any more; each leaves once all it
 * asked is answered and sent, with what it had begun to ask.
 */
#include "server/worker/handover.h"

#include "common/log.h"
#include "server/worker/client.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- heirs come and go ----------------------------------------------------------------- */

/* Reading from clients stops with the first heir and goes on without the last. */
static void
clients_go_on(struct worker *w)
{
    struct list *node, *after;

    LIST_EACH_SAFE (node, after, &w->clients)
        client_go_on(CONTAINER_OF(node, struct client, link));
}

static void
heir_free(struct heir *h)
{
    if (h->read_event != NULL)
        event_free(h->read_event);
    if (h->write_event != NULL)
        event_free(h->write_event);
    close(h->fd);
    free(h);
}

/* It took no more: who is without a receipt is still ours. */
static void
heir_lost(struct heir *h)
{
    struct worker *w = h->worker;
    struct list *node;
    size_t i;

    log_warn("an heir is gone slot=%zu unreceipted=%u heirs=%zu", h->slot, h->nsent,
             w->nheirs - 1);
    while ((node = list_pop(&h->sent)) != NULL)
        metrics_add(w->metrics, METRIC_curr_connections, 1);
    for (i = 0; w->heirs[i] != h; i++)
        ;
    w->heirs[i] = w->heirs[--w->nheirs];
    heir_free(h);
    if (w->nheirs > 0)
        return;
    clients_go_on(w);
    worker_say(w, WORKER_HEIRLESS, "");
}

static void
heir_on_receipt(struct heir *h, const struct handover_receipt *receipt)
{
    struct list *node = h->sent.next;
    struct client *c = CONTAINER_OF(node, struct client, in_move);

    h->nsent--;
    if (receipt->taken) {
        client_close(c, "moved");
        return;
    }
    list_remove(&c->in_move);
    metrics_add(h->worker->metrics, METRIC_curr_connections, 1);
    client_finish(c);
}

static void
heir_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct heir *h = arg;
    struct handover_receipt receipt;
    ssize_t n;

    (void)what;
    while ((n = recv(fd, &receipt, sizeof(receipt), MSG_DONTWAIT)) ==
           (ssize_t)sizeof(receipt)) {
        if (receipt.magic != HANDOVER_MAGIC || list_empty(&h->sent))
            break;
        heir_on_receipt(h, &receipt);
    }
    if (n != -1 || (errno != EAGAIN && errno != EINTR))
        heir_lost(h);
}

static void
heir_on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct heir *h = arg;

    (void)fd;
    (void)what;
    h->full = false;
}

void
heir_add(struct worker *w, int fd, size_t slot)
{
    struct heir *h = w->nheirs < HEIRS_MAX ? calloc(1, sizeof(*h)) : NULL;

    if (h == NULL) {
        close(fd);
        return;
    }
    h->worker = w;
    h->fd = fd;
    h->slot = slot;
    list_init(&h->sent);
    h->read_event = event_new(w->base, fd, EV_READ | EV_PERSIST, heir_on_readable, h);
    h->write_event = event_new(w->base, fd, EV_WRITE, heir_on_writable, h);
    if (h->read_event == NULL || h->write_event == NULL ||
        event_add(h->read_event, NULL) == -1) {
        heir_free(h);
        return;
    }
    w->heirs[w->nheirs++] = h;
    clients_go_on(w);
}

void
heirs_close(struct worker *w)
{
    while (w->nheirs > 0) {
        struct heir *h = w->heirs[--w->nheirs];

        while (list_pop(&h->sent) != NULL)
            metrics_add(w->metrics, METRIC_curr_connections, 1);
        heir_free(h);
    }
}

/* --- handing over ---------------------------------------------------------------------- */

static bool
client_may_leave(const struct client *c)
{
    return c->state == CLIENT_OPEN && !list_linked(&c->in_move) && c->nrequests == 0 &&
           buf_size(&c->out) == 0;
}

static uint64_t
heir_load(const struct heir *h)
{
    return slot_connections(scoreboard_slot(h->worker->heritage->board, h->slot)) +
           h->nsent;
}

/* An heir with room, from a random one on; NULL: none has. */
static struct heir *
heir_any(struct worker *w)
{
    size_t i, from = (size_t)lrand48();

    for (i = 0; i < w->nheirs; i++) {
        struct heir *h = w->heirs[(from + i) % w->nheirs];

        if (!h->full)
            return h;
    }
    return NULL;
}

/* The less busy of two random ones: when several workers retire at once, each looking for
 * the least busy heir of all, they all find the same one (29, 48 and 43 of 120 clients,
 * where this gives 37 to 46: measured). */
static struct heir *
heir_choose(struct worker *w)
{
    struct heir *one = heir_any(w), *other = heir_any(w);

    return one != NULL && heir_load(other) < heir_load(one) ? other : one;
}

/* Input that is too long for a message; -1 with errno. */
static int
input_to_file(struct span input)
{
    int fd = memfd_create("fetchd-input", MFD_CLOEXEC);
    size_t done = 0;
    ssize_t n;

    while (fd != -1 && done < input.n) {
        if ((n = write(fd, input.p + done, input.n - done)) <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    return fd;
}

static ssize_t
heir_send(const struct heir *h, const struct client *c)
{
    struct handover_head head = { .magic = HANDOVER_MAGIC,
                                  .input_bytes = buf_size(&c->in),
                                  .heard = c->heard,
                                  .line_since = c->line_since,
                                  .nerrors = c->nerrors };
    struct span input = buf_span(&c->in);
    struct session session = c->session;
    struct iovec iov[3] = { { &head, sizeof(head) }, { &session, sizeof(session) } };
    int fds[2] = { c->fd, -1 }, error;
    bool file = input.n > HANDOVER_INLINE;
    ssize_t n;

    handover_put_session(&c->session, &head);
    if (file && (fds[1] = input_to_file(input)) == -1)
        return -1;
    if (!file && input.n > 0) {
        memcpy(&iov[2].iov_base, &input.p, sizeof(input.p)); /* read only, as it is */
        iov[2].iov_len = input.n;
    }
    n = fdpass_send(h->fd, iov, iov[2].iov_len > 0 ? 3 : 2, fds, file ? 2 : 1);
    error = errno;
    if (file)
        close(fds[1]);
    errno = error;
    return n;
}

/* false: nobody can take it now. */
static bool
client_leave(struct worker *w, struct client *c)
{
    struct heir *h;

    while ((h = heir_choose(w)) != NULL) {
        if (heir_send(h, c) != -1) {
            list_append(&h->sent, &c->in_move);
            h->nsent++;
            metrics_sub(w->metrics, METRIC_curr_connections, 1);
            return true;
        }
        if (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS) {
            heir_lost(h);
            continue;
        }
        h->full = true;
        event_add(h->write_event, NULL);
    }
    return false;
}

void
heirs_give(struct worker *w)
{
    struct list *node, *after;

    if (heir_any(w) == NULL)
        return;
    LIST_EACH_SAFE (node, after, &w->clients) {
        struct client *c = CONTAINER_OF(node, struct client, link);

        if (client_may_leave(c) && !client_leave(w, c))
            break;
    }
}
