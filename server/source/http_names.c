/*
 * http_names.c - the addresses of a host name, without ever waiting for them.
 *
 *     loop                               helper thread, signals blocked
 *     timer: look ---- struct lookup --> getaddrinfo, may take half a minute
 *     pipe readable <------ 1 byte ----- fills the lookup, ends
 *
 * The loop may be gone before the thread is: whoever comes second frees the lookup.
 */
#include "server/source/http_names.h"

#include "common/log.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* While there is no address at all. */
#define RETRY (1 * USEC_PER_SEC)

struct lookup {
    atomic_bool left; /* one of the two is done with it */
    int fd;           /* the thread's end of the pipe */
    uint16_t port;
    char host[256];
    struct net_addr found[HTTP_ADDRS_MAX];
    int n;
    const char *why;
};

struct http_names {
    struct event_base *base;
    const char *host;
    uint16_t port;
    usec_t refresh;
    void (*changed)(void *arg);
    void *arg;
    struct net_addr addrs[HTTP_ADDRS_MAX];
    size_t n;
    size_t first;
    const char *why;
    struct lookup *lookup; /* under way */
    int fd;                /* our end of the pipe */
    struct event answer;
    struct event timer;
};

static void
lookup_leave(struct lookup *l)
{
    if (atomic_exchange(&l->left, true))
        free(l);
}

static void *
lookup_run(void *arg)
{
    struct lookup *l = arg;
    int fd = l->fd;

    l->n = net_resolve(l->host, l->port, l->found, HTTP_ADDRS_MAX, &l->why);
    lookup_leave(l);
    close(fd); /* the loop reads the end of the pipe */
    return NULL;
}

/* --- the looking -------------------------------------------------------------------- */

static void
names_later(struct http_names *n)
{
    usec_t pause = n->n > 0 || n->refresh < RETRY ? n->refresh : RETRY;
    struct timeval tv = { (time_t)(pause / USEC_PER_SEC),
                          (suseconds_t)(pause % USEC_PER_SEC) };

    evtimer_add(&n->timer, &tv);
}

static bool
names_equal(const struct http_names *n, const struct lookup *l)
{
    size_t i;

    if ((size_t)l->n != n->n)
        return false;
    for (i = 0; i < n->n; i++) {
        if (!http_names_know(n, &l->found[i]))
            return false;
    }
    return true;
}

/* Old addresses stay when the resolver fails: most likely it is the resolver that is
 * ill, not the host that is gone. */
static void
names_take(struct http_names *n, const struct lookup *l)
{
    if (l->n <= 0) {
        n->why = l->why == NULL ? "no address" : l->why;
        log_warn("host name=%s not resolved reason=\"%s\"; %s", n->host, n->why,
                 n->n > 0 ? "keeping its addresses" : "trying again every second");
        if (n->n == 0)
            n->changed(n->arg);
        return;
    }
    if (names_equal(n, l))
        return;
    memcpy(n->addrs, l->found, (size_t)l->n * sizeof(l->found[0]));
    n->n = (size_t)l->n;
    n->first = 0;
    n->why = NULL;
    log_info("host name=%s resolved addresses=%zu", n->host, n->n);
    n->changed(n->arg);
}

static void
names_on_answer(evutil_socket_t fd, short what, void *arg)
{
    struct http_names *n = arg;
    struct lookup *l = n->lookup;

    (void)what;
    event_del(&n->answer);
    close(fd);
    n->fd = -1;
    n->lookup = NULL;
    names_later(n);
    names_take(n, l);
    lookup_leave(l);
}

static bool
lookup_start(struct lookup *l)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    bool ok;

    /* Signals are the loop's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    ok = pthread_create(&thread, &attr, lookup_run, l) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static bool
names_look(struct http_names *n)
{
    struct lookup *l = calloc(1, sizeof(*l));
    int fds[2];

    if (l == NULL || pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1) {
        free(l);
        return false;
    }
    l->fd = fds[1];
    l->port = n->port;
    snprintf(l->host, sizeof(l->host), "%s", n->host);
    event_assign(&n->answer, n->base, fds[0], EV_READ, names_on_answer, n);
    if (event_add(&n->answer, NULL) == -1 || !lookup_start(l)) {
        event_del(&n->answer);
        close(fds[0]);
        close(fds[1]);
        free(l);
        return false;
    }
    n->fd = fds[0];
    n->lookup = l;
    return true;
}

static void
names_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_names *n = arg;

    (void)fd;
    (void)what;
    if (!names_look(n))
        names_later(n);
}

/* --- the names ---------------------------------------------------------------------- */

/* "127.0.0.1" and "::1" need no resolver. */
static bool
parse_numeric(const char *host, unsigned port, struct net_addr *out)
{
    char text[300];
    const char *why;

    snprintf(text, sizeof(text), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
             port);
    /* A host may be called "unix". */
    return net_addr_parse(text, out, &why) && out->ss.ss_family != AF_UNIX;
}

struct http_names *
http_names_new(struct event_base *base, const char *host, unsigned port, usec_t refresh,
               void (*changed)(void *arg), void *arg)
{
    struct http_names *n = calloc(1, sizeof(*n));

    if (n == NULL)
        return NULL;
    n->base = base;
    n->host = host;
    n->port = (uint16_t)port;
    n->refresh = refresh;
    n->changed = changed;
    n->arg = arg;
    n->fd = -1;
    evtimer_assign(&n->timer, base, names_on_timer, n);
    if (parse_numeric(host, port, &n->addrs[0]))
        n->n = 1;
    else if (!names_look(n))
        names_later(n);
    return n;
}

void
http_names_free(struct http_names **names)
{
    struct http_names *n = *names;

    if (n == NULL)
        return;
    evtimer_del(&n->timer);
    if (n->lookup != NULL) {
        event_del(&n->answer);
        close(n->fd);
        lookup_leave(n->lookup);
    }
    free(n);
    *names = NULL;
}

size_t
http_names_count(const struct http_names *n)
{
    return n->n;
}

size_t
http_names_first(const struct http_names *n)
{
    return n->first;
}

const struct net_addr *
http_names_at(const struct http_names *n, size_t i)
{
    return &n->addrs[i % n->n];
}

static bool
addr_equal(const struct net_addr *a, const struct net_addr *b)
{
    return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

void
http_names_failed(struct http_names *n, const struct net_addr *addr)
{
    /* Several connections may say so of the same one. */
    if (n->n > 0 && addr_equal(&n->addrs[n->first], addr))
        n->first = (n->first + 1) % n->n;
}

bool
http_names_know(const struct http_names *n, const struct net_addr *addr)
{
    size_t i;

    for (i = 0; i < n->n; i++) {
        if (addr_equal(&n->addrs[i], addr))
            return true;
    }
    return false;
}

const char *
http_names_trouble(const struct http_names *n)
{
    return n->why;
}
