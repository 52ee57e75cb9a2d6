/*
 * forget.c - clients that want items forgotten.
 */
#include "server/worker/forget.h"

#include "common/net.h"
#include "server/worker/state.h"

/* Asked of the socket each time: only who invalidates pays for it. */
static bool
peer_is_local(int fd)
{
    struct net_addr peer = { .len = sizeof(peer.ss) };

    return getpeername(fd, (struct sockaddr *)&peer.ss, &peer.len) == 0 &&
           net_addr_is_local(&peer);
}

static bool
may_forget(const struct worker *w, int fd)
{
    switch (w->config->invalidate) {
    case ACCESS_NOBODY:
        return false;
    case ACCESS_LOCAL:
        return peer_is_local(fd);
    case ACCESS_ANYONE:
        return true;
    }
    return false;
}

static bool
forget_id(struct worker *w, const struct source *source, struct span key, usec_t when)
{
    char id[SOURCE_KEY_MAX];
    struct cache_key at;
    size_t id_len;

    if (source->fingerprint == 0 ||
        source->ops->key(source, key, id, &id_len) != SOURCE_KEY_OK)
        return false;
    cache_key(w->heritage->cache, source->fingerprint, span_of(id, id_len), &at);
    return cache_invalidate(w->heritage->cache, &at, when);
}

/* Of a view's item, the parts that are asked for by the id; what others are asked for,
 * nobody knows here. */
static bool
forget_parts(struct worker *w, const struct config_view *view, struct span key,
             usec_t when)
{
    bool any = false;
    size_t i;

    for (i = 0; i < view->nparts; i++) {
        const struct config_part *p = &view->parts[i];

        if (p->key_path == NULL)
            any = forget_id(w, w->sources[p->source_index], key, when) || any;
    }
    return any;
}

/* 'when' is now: what was asked of the source up to here is not let in any more. */
static bool
forget_key(struct worker *w, struct span key, usec_t when)
{
    size_t nsources = w->config->nsources, which;
    struct span rest;

    which = sources_resolve(w, key, &rest);
    if (which == SOURCE_NONE)
        return false;
    if (which >= nsources)
        return forget_parts(w, &w->config->views[which - nsources], rest, when);
    return forget_id(w, w->sources[which], rest, when);
}

static void
forget(struct worker *w, const struct command *c, struct forgetting *result)
{
    usec_t now = clock_now();
    size_t i;

    if (w->heritage->cache == NULL)
        return;
    if (c->kind == COMMAND_FLUSH) {
        cache_flush(w->heritage->cache, now);
        metrics_add(w->metrics, METRIC_flushes, 1);
        return;
    }
    for (i = 0; i < c->nkeys; i++)
        result->forgotten += forget_key(w, c->keys[i], now);
    metrics_add(w->metrics, METRIC_invalidations, c->nkeys);
}

struct forgetting
forget_run(struct worker *w, int fd, struct command *command)
{
    struct forgetting result = { 0, false };

    if (command->kind != COMMAND_INVALIDATE && command->kind != COMMAND_FLUSH)
        return result;
    result.denied = !may_forget(w, fd);
    if (result.denied)
        metrics_add(w->metrics, METRIC_invalidate_denied, 1);
    else
        forget(w, command, &result);
    command->nkeys = 0;
    return result;
}
