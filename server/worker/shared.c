/*
 * shared.c - this worker's part in the cache that all workers share.
 */
#include "server/worker/shared.h"

#include "server/cache/lease.h"
#include "server/worker/state.h"

#include <event2/event.h>
#include <stdlib.h>

static struct lookup_policy
policy_of(const struct config_source *s)
{
    return (struct lookup_policy){
        .fresh = s->fresh_ms * USEC_PER_MSEC,
        .negative = s->negative_ms * USEC_PER_MSEC,
        .stale = s->stale_ms * USEC_PER_MSEC,
        .stale_if_error = s->stale_if_error_ms * USEC_PER_MSEC,
        .jitter_percent = s->jitter_percent,
    };
}

/* The descriptor is shared by several workers and stays readable: an edge is all there
 * is to it. */
static void
shared_on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    shared_wake(arg, clock_now());
}

static bool
shared_listen(struct worker *w, int fd)
{
    if (fd == -1)
        return true;
    w->wake_event =
        event_new(w->base, fd, EV_READ | EV_PERSIST | EV_ET, shared_on_wake, w);
    return w->wake_event != NULL && event_add(w->wake_event, NULL) == 0;
}

bool
shared_open(struct worker *w)
{
    struct cache *cache = w->heritage->cache;
    size_t i, n = w->config->nsources;

    if ((w->lookups = calloc(n, sizeof(*w->lookups))) == NULL)
        return false;
    if (cache != NULL)
        cache_join(cache, w->heritage->slot);
    for (i = 0; i < n; i++) {
        const struct lookup_policy policy = policy_of(&w->config->sources[i]);

        lookup_init(&w->lookups[i], cache, w->sources[i], &policy);
        loader_use_lookup(w->loaders[i], &w->lookups[i]);
    }
    return cache == NULL || shared_listen(w, cache_wake_fd(cache));
}

void
shared_close(struct worker *w)
{
    if (w->wake_event != NULL)
        event_free(w->wake_event);
    free(w->lookups);
}

void
shared_wake(struct worker *w, usec_t now)
{
    size_t i;

    for (i = 0; i < w->config->nsources; i++)
        loader_wake(w->loaders[i], now);
}

usec_t
shared_recheck_at(const struct worker *w)
{
    usec_t first = 0, at;
    size_t i;

    for (i = 0; i < w->config->nsources; i++) {
        at = loader_recheck_at(w->loaders[i]);
        if (at != 0 && (first == 0 || at < first))
            first = at;
    }
    return first;
}

void
shared_beat(struct worker *w, usec_t now)
{
    if (w->heritage->cache != NULL)
        lease_beat(w->heritage->cache, now);
}

usec_t
shared_beat_at(const struct worker *w)
{
    size_t i;

    for (i = 0; i < w->config->nsources; i++) {
        if (loader_leases(w->loaders[i]))
            return lease_beat_at(w->heritage->cache);
    }
    return 0;
}
