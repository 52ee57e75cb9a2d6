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

struct forgetting
forget_run(struct worker *w, int fd, struct command *command)
{
    struct forgetting result = { 0, false };

    if (command->kind != COMMAND_INVALIDATE && command->kind != COMMAND_FLUSH)
        return result;
    result.denied = !may_forget(w, fd);
    if (result.denied)
        metrics_add(w->metrics, METRIC_invalidate_denied, 1);
    command->nkeys = 0;
    return result;
}
