/*
 * refresh.c - stale items, fetched anew behind.
 *
 * Owns: wants that no client waits for.  Whoever was shown STALE has its answer; one
 * worker fetches the item, the others leave it to that one's lease.
 */
#include "server/source/batch.h"

#include <stdlib.h>

/* Nobody waits: the statement may take its time, but not for ever. */
#define REFRESH_BUDGET (1 * USEC_PER_SEC)

/* Somebody in whose name is fetched. */
struct refresher {
    struct loader_waiter waiter;
    struct list link; /* in loader.refreshers */
};

static void
refresher_free(struct refresher *r)
{
    list_remove(&r->link);
    free(r);
}

static void
on_refreshed(struct loader_waiter *w, enum item_status status, struct span json,
             struct item_pack *pack)
{
    (void)status;
    (void)json;
    (void)pack;
    refresher_free(CONTAINER_OF(w, struct refresher, waiter));
}

void
loader_refresh(struct loader *loader, struct span id, usec_t now)
{
    struct refresher *r = malloc(sizeof(*r));
    struct want *want;

    if (r == NULL)
        return;
    memset(r, 0, sizeof(*r));
    r->waiter.flow = &loader->own;
    r->waiter.deadline = now + REFRESH_BUDGET;
    r->waiter.answered = on_refreshed;
    list_init(&r->waiter.in_flow);
    list_init(&r->waiter.in_want);
    list_init(&r->link);
    if (want_find(loader, id, &r->waiter) != NULL ||
        (want = want_new(loader, id, true)) == NULL) {
        free(r);
        return;
    }
    if (want->elsewhere) {
        want_free(want);
        free(r);
        return;
    }
    list_append(&loader->refreshers, &r->link);
    want_join(want, &r->waiter);
    metrics_add(loader->metrics, METRIC_cache_refreshes, 1);
}

void
loader_stop_refreshing(struct loader *l)
{
    struct list *node;

    while ((node = list_pop(&l->refreshers)) != NULL) {
        struct refresher *r = CONTAINER_OF(node, struct refresher, link);

        loader_cancel(&r->waiter);
        refresher_free(r);
    }
}
