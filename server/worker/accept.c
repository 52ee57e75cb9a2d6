/*
 * accept.c - new connections, shared fairly between workers.
 *
 * All workers wait on one descriptor per address and whoever wakes first accepts, which
 * alone is badly unfair (162/160/23/55 of 400: measured), and long-lived clients would
 * freeze the imbalance.  So a worker that is above the least busy one leaves a connection
 * alone, but at most once and for 2 ms: a gate without that bound was an outage when one
 * worker was stopped (6 of 200 served: measured).
 */
#include "server/worker/accept.h"

#include "common/log.h"
#include "common/net.h"
#include "server/worker/client.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_WAKEUP 4
#define DEFER (2 * USEC_PER_MSEC)
#define PAUSE (100 * USEC_PER_MSEC)

/* A worker whose heart beat longer ago does not count as one who could take over. */
#define BEAT_FRESH (500 * USEC_PER_MSEC)

/* Descriptors kept for everything but clients. */
#define RESERVED_FDS 64

struct acceptor {
    struct worker *worker;
    struct event **listeners;
    struct event *resume; /* listeners are off until it fires */
    bool deferred;
    int reserve_fd; /* closed to have one descriptor for a refusal */
    uint64_t local_max;
    usec_t complained; /* when descriptors ran out last, for the log */
};

bool
accept_gate_open(uint64_t mine, uint64_t least)
{
    return mine <= least + 1 + least / 20;
}

static uint64_t
least_connections(const struct worker *w, usec_t now)
{
    uint64_t least = UINT64_MAX;
    size_t i;

    for (i = 0; i < scoreboard_size(w->heritage->board); i++) {
        const struct scoreboard_slot *s = scoreboard_slot(w->heritage->board, i);

        if (slot_state(s) == SLOT_READY && slot_heartbeat(s) + BEAT_FRESH > now &&
            slot_connections(s) < least)
            least = slot_connections(s);
    }
    return least;
}

static uint64_t
all_connections(const struct worker *w)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < scoreboard_size(w->heritage->board); i++) {
        const struct scoreboard_slot *s = scoreboard_slot(w->heritage->board, i);

        if (slot_state(s) != SLOT_EMPTY) /* nobody's figures are nobody's */
            sum += slot_connections(s);
    }
    return sum;
}

static void
acceptor_pause(struct acceptor *a, usec_t how_long)
{
    struct timeval tv = { 0, (suseconds_t)how_long };
    size_t i;

    for (i = 0; i < a->worker->heritage->nlisten; i++)
        event_del(a->listeners[i]);
    evtimer_add(a->resume, &tv);
}

static void
acceptor_on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct acceptor *a = arg;
    size_t i;

    (void)fd;
    (void)what;
    if (a->reserve_fd == -1)
        a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (i = 0; i < a->worker->heritage->nlisten; i++)
        event_add(a->listeners[i], NULL);
}

/* Says no and why; the few bytes always fit into a new socket. */
static void
refuse(struct acceptor *a, int fd)
{
    ssize_t n = send(fd, PROTOCOL_REFUSAL, sizeof(PROTOCOL_REFUSAL) - 1, MSG_NOSIGNAL);

    (void)n;
    shutdown(fd, SHUT_WR);
    close(fd);
    metrics_add(a->worker->metrics, METRIC_rejected_connections, 1);
}

/* No descriptor left: use the reserve to tell one client so, then rest.  Without the
 * rest the listener spins: 228,387 wake-ups in 0.3 s were measured. */
static void
acceptor_out_of_fds(struct acceptor *a, int listen_fd)
{
    usec_t now = clock_now();
    int fd;

    if (a->reserve_fd != -1) {
        close(a->reserve_fd);
        /* cppcheck-suppress nullPointer ; accept4 takes NULL for "do not tell" */
        if ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1)
            refuse(a, fd);
        a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (a->complained == 0 || now - a->complained > USEC_PER_SEC)
        log_warn("accept: out of descriptors; refusing and pausing 100 ms at a time");
    a->complained = now;
    acceptor_pause(a, PAUSE);
}

static bool
is_full(const struct acceptor *a)
{
    const struct worker *w = a->worker;

    return metrics_get(w->metrics, METRIC_curr_connections) >= a->local_max ||
           all_connections(w) >= w->heritage->max_connections;
}

/* Accepts one; false: nothing more to accept now. */
static bool
acceptor_take(struct acceptor *a, int listen_fd)
{
    /* cppcheck-suppress nullPointer ; as above */
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd == -1) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return errno != EAGAIN;
        metrics_add(a->worker->metrics, METRIC_accept_errors, 1);
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            acceptor_out_of_fds(a, listen_fd);
        return false;
    }
    if (is_full(a))
        refuse(a, fd);
    else
        metrics_add(a->worker->metrics,
                    client_new(a->worker, fd) != NULL ? METRIC_total_connections
                                                      : METRIC_rejected_connections,
                    1);
    return true;
}

static bool
acceptor_defers(struct acceptor *a)
{
    struct worker *w = a->worker;

    if (a->deferred || accept_gate_open(metrics_get(w->metrics, METRIC_curr_connections),
                                        least_connections(w, clock_now())))
        return false;
    a->deferred = true;
    metrics_add(w->metrics, METRIC_accept_deferred, 1);
    acceptor_pause(a, DEFER);
    return true;
}

static void
acceptor_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct acceptor *a = arg;
    int i;

    (void)what;
    for (i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
        if (acceptor_defers(a) || !acceptor_take(a, fd))
            break;
        a->deferred = false;
    }
}

void
acceptor_take_all(struct acceptor *a)
{
    const struct worker_heritage *h = a->worker->heritage;
    size_t i;

    for (i = 0; i < h->nlisten; i++) {
        while (acceptor_take(a, h->listen_fds[i]))
            ;
    }
}

uint64_t
accept_max_clients(const struct config *config)
{
    uint64_t reserved = RESERVED_FDS;
    struct rlimit nofile;
    size_t i;

    if (getrlimit(RLIMIT_NOFILE, &nofile) == -1 || nofile.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    for (i = 0; i < config->nsources; i++) {
        if (config->sources[i].kind == CONFIG_URL)
            reserved += config->sources[i].http.connections;
    }
    return nofile.rlim_cur > 2 * reserved ? nofile.rlim_cur - reserved
                                          : nofile.rlim_cur / 2;
}

size_t
accept_max_connections(const struct config *config)
{
    uint64_t each = accept_max_clients(config);

    if (config->max_connections != 0)
        return config->max_connections;
    return each > SIZE_MAX / config->workers ? SIZE_MAX : (size_t)each * config->workers;
}

struct acceptor *
acceptor_new(struct worker *w)
{
    const struct worker_heritage *h = w->heritage;
    struct acceptor *a = calloc(1, sizeof(*a));
    size_t i;

    if (a == NULL)
        return NULL;
    a->worker = w;
    a->local_max = accept_max_clients(w->config);
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    a->resume = evtimer_new(w->base, acceptor_on_resume, a);
    a->listeners = calloc(h->nlisten, sizeof(struct event *));
    if (a->resume == NULL || a->listeners == NULL)
        goto fail;
    for (i = 0; i < h->nlisten; i++) {
        a->listeners[i] = event_new(w->base, h->listen_fds[i], EV_READ | EV_PERSIST,
                                    acceptor_on_readable, a);
        /* Not before the clients that there are: a storm of newcomers would starve them. */
        if (a->listeners[i] == NULL ||
            event_priority_set(a->listeners[i], PRIORITY_CLIENT) == -1 ||
            event_add(a->listeners[i], NULL) == -1)
            goto fail;
    }
    return a;
fail:
    acceptor_free(&a);
    return NULL;
}

void
acceptor_free(struct acceptor **acceptor)
{
    struct acceptor *a = *acceptor;
    size_t i;

    if (a == NULL)
        return;
    for (i = 0; a->listeners != NULL && i < a->worker->heritage->nlisten; i++) {
        if (a->listeners[i] != NULL)
            event_free(a->listeners[i]);
    }
    if (a->resume != NULL)
        event_free(a->resume);
    if (a->reserve_fd != -1)
        close(a->reserve_fd);
    free(a->listeners);
    free(a);
    *acceptor = NULL;
}
