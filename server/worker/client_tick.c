/*
 * client_tick.c - clients that take too long over something.
 *
 * Owns: every bound on a client's time: reading its answers, closing, finishing a request
 * it began, asking anything at all.  Looked at with each heartbeat, so a bound is late by
 * a quarter of a second at most.
 */
#include "server/worker/client.h"
#include "server/worker/state.h"

/* Has a client that owes us something taken too long over it? */
static const char *
client_overdue(const struct client *c, usec_t now)
{
    const struct config *config = c->worker->config;

    if (c->state != CLIENT_OPEN || list_linked(&c->in_move))
        return NULL;
    if (c->line_since != 0 &&
        now - c->line_since >= config->request_timeout_ms * USEC_PER_MSEC)
        return "a request took too long to arrive";
    if (config->idle_timeout_ms != 0 && c->nrequests == 0 && buf_size(&c->out) == 0 &&
        now - c->heard >= config->idle_timeout_ms * USEC_PER_MSEC)
        return "idle";
    return NULL;
}

void
clients_tick(struct worker *w, usec_t now)
{
    usec_t patience = w->config->output_timeout_ms * USEC_PER_MSEC;
    struct list *node, *after;
    const char *why;

    LIST_EACH_SAFE (node, after, &w->blocked) {
        struct client *c = CONTAINER_OF(node, struct client, in_blocked);

        if (c->state == CLIENT_LINGERING) {
            if (now >= c->linger_until)
                client_close(c, "the peer did not close");
        } else if (now - c->stalled_since >= patience) {
            metrics_add(w->metrics, METRIC_output_closed, 1);
            client_close(c, "does not read its answers");
        }
    }
    LIST_EACH_SAFE (node, after, &w->clients) {
        struct client *c = CONTAINER_OF(node, struct client, link);

        if (w->state == WORKER_DRAINING && !c->deaf)
            client_drain(c); /* it had only just come */
        if (c->state == CLIENT_CLOSED || (why = client_overdue(c, now)) == NULL)
            continue;
        metrics_add(w->metrics, METRIC_timeout_closed, 1);
        client_close(c, why);
    }
}
