/*
 * view_part.c - one part of one item.
 *
 * Owns: what is known of a part, and from whom: the cache, its source, or, when the source
 * fails or is late, an old copy that the source's policy allows (stale_if_error).
 *
 *     part_ask --> cache: fresh, absent, stale (and fetched anew behind) --> known
 *              +-> loader_want --> item, miss ------------------------------> known
 *                              +-> failed, late --> an old copy, or not ----> known
 */
#include "server/source/view_parts.h"

#include "server/source/lookup.h"

#include <assert.h>
#include <stdlib.h>

/* What the cache knows of one turn's parts is copied into packs of about this size. */
#define KNOWN_BYTES ((size_t)64 << 10)

void
item_part_known(struct item_part *part, enum item_status status)
{
    struct view_item *item = part->item;

    assert(part->status == ITEM_OPEN && status != ITEM_OPEN);
    part->status = status;
    list_remove(&part->in_budget);
    if (!list_linked(&item->in_touched))
        list_append(&item->view->views->touched, &item->in_touched);
}

struct span
item_part_json(const struct item_part *part)
{
    return part->pack == NULL ? span_of(NULL, 0)
                              : span_of(part->pack->bytes.data + part->off, part->len);
}

/* --- what the cache knows ------------------------------------------------------------- */

/* The pack that grows: parts in it are places, not pointers, until views_close_known. */
static struct item_pack *
views_known(struct views *views)
{
    if (views->known != NULL && (buf_failed(&views->known->bytes) ||
                                 buf_size(&views->known->bytes) > KNOWN_BYTES))
        views_close_known(views);
    if (views->known == NULL)
        views->known = item_pack_new();
    return views->known;
}

void
views_close_known(struct views *views)
{
    item_pack_unref(&views->known);
}

static void
part_take(struct item_part *part, struct item_pack *pack, const struct lookup_item *found)
{
    part->pack = item_pack_ref(pack);
    part->len = found->len;
    part->off = pack->bytes.len - found->len;
    part->age_ms = (unsigned)(found->age / USEC_PER_MSEC);
}

/* false: the source must be asked. */
static bool
part_look(struct item_part *part, struct span id, usec_t now)
{
    const struct lookup *l = loader_lookup(part_kind(part)->loader);
    const struct view_asker *asker = &part->item->asker;
    struct views *views = part->item->view->views;
    struct item_pack *pack;
    struct lookup_item found = { .with_marks = false };
    struct cache_key key;

    if (l == NULL || !lookup_on(l) || asker->fresh || (pack = views_known(views)) == NULL)
        return false;
    lookup_key(l, id, &key);
    switch (lookup_get(l, &key, asker->max_age, now, &pack->bytes, &found)) {
    case LOOKUP_FRESH:
        metrics_add(views->metrics, METRIC_cache_hits, 1);
        part_take(part, pack, &found);
        part->origin = ITEM_FROM_CACHE;
        item_part_known(part, ITEM_FOUND);
        return true;
    case LOOKUP_STALE:
        metrics_add(views->metrics, METRIC_cache_stale, 1);
        part_take(part, pack, &found);
        part->origin = ITEM_FROM_STALE;
        item_part_known(part, ITEM_STALE);
        loader_refresh(part_kind(part)->loader, id, now);
        return true;
    case LOOKUP_ABSENT:
        metrics_add(views->metrics, METRIC_cache_negative, 1);
        part->origin = ITEM_FROM_CACHE;
        item_part_known(part, ITEM_MISS);
        return true;
    case LOOKUP_TOO_OLD:
    case LOOKUP_NOTHING:
        break;
    }
    metrics_add(views->metrics, METRIC_cache_misses, 1);
    return false;
}

/* --- when the source fails --------------------------------------------------------------- */

/* An old copy, if the source's policy and the request allow one; 'status' when not. */
static enum item_status
part_rescue(struct item_part *part, enum item_status status, usec_t now)
{
    const struct lookup *l = loader_lookup(part_kind(part)->loader);
    struct views *views = part->item->view->views;
    struct item_pack *pack;
    struct lookup_item found = { .with_marks = false };
    struct cache_key key;

    if (part->id == NULL || (pack = views_known(views)) == NULL)
        return status;
    lookup_key(l, span_of(part->id, part->id_len), &key);
    switch (
        lookup_fallback(l, &key, part->item->asker.max_age, now, &pack->bytes, &found)) {
    case LOOKUP_STALE:
        metrics_add(views->metrics, METRIC_cache_rescues, 1);
        part_take(part, pack, &found);
        part->origin = ITEM_FROM_STALE;
        return ITEM_STALE;
    case LOOKUP_TOO_OLD:
        return ITEM_FAIL_STALE;
    case LOOKUP_FRESH:
    case LOOKUP_ABSENT:
    case LOOKUP_NOTHING:
        break;
    }
    return status;
}

void
item_part_failed(struct item_part *part, enum item_status status, usec_t now)
{
    /* Another moment would not mend these two. */
    if (status != ITEM_FAIL_BADID && status != ITEM_FAIL_TOOBIG)
        status = part_rescue(part, status, now);
    item_part_known(part, status);
}

/* Kept while the source is asked, where it may be needed. */
static void
part_keep_id(struct item_part *part, struct span id)
{
    const struct lookup *l = loader_lookup(part_kind(part)->loader);

    if (l == NULL || !lookup_rescues(l) || (part->id = malloc(id.n + 1)) == NULL)
        return;
    memcpy(part->id, id.p, id.n);
    part->id_len = id.n;
}

/* --- asking ---------------------------------------------------------------------------------- */

static void
on_part(struct loader_waiter *w, enum item_status status, struct span json,
        struct item_pack *pack)
{
    struct item_part *part = CONTAINER_OF(w, struct item_part, waiter);

    part->origin = (enum item_origin)w->origin;
    if (item_failed(status)) {
        item_part_failed(part, status, clock_now());
        return;
    }
    if (item_present(status)) {
        part->pack = item_pack_ref(pack);
        part->off = (size_t)(json.p - pack->bytes.data);
        part->len = json.n;
    }
    item_part_known(part, status);
}

static void
part_want(struct item_part *part, struct span id, usec_t now)
{
    struct view_part *kind = part_kind(part);
    const struct view_asker *asker = &part->item->asker;
    usec_t due = now + kind->settings->budget_ms * USEC_PER_MSEC;

    part_keep_id(part, id);
    part->waiter.deadline = asker->deadline;
    part->waiter.fresh = asker->fresh;
    part->waiter.max_age_ms = asker->max_age_ms;
    part->waiter.answered = on_part;
    if (loader_want(kind->loader, &asker->flows[kind->settings->source_index], id,
                    &part->waiter) == -1) {
        item_part_failed(part, ITEM_FAIL_OVERLOAD, now);
        return;
    }
    if (kind->settings->budget_ms == 0 || due >= asker->deadline)
        return;
    /* The budget ends our patience, not the fetch: its source may still remember. */
    part->due = due;
    list_append(&kind->on_budget, &part->in_budget);
}

void
item_part_ask(struct item_part *part, struct span key, usec_t now)
{
    const struct source *s = part_kind(part)->source;
    char id[SOURCE_KEY_MAX];
    size_t id_len;

    part->asked = true;
    switch (s->ops->key(s, key, id, &id_len)) {
    case SOURCE_KEY_OK:
        if (!part_look(part, span_of(id, id_len), now))
            part_want(part, span_of(id, id_len), now);
        break;
    case SOURCE_KEY_BAD:
        item_part_known(part, ITEM_FAIL_BADID);
        break;
    case SOURCE_KEY_ABSENT:
        item_part_known(part, ITEM_MISS);
        break;
    case SOURCE_KEY_UNKNOWN:
        item_part_known(part, s->ops->failure);
        break;
    }
}

void
item_part_stop(struct item_part *part)
{
    loader_cancel(&part->waiter);
    list_remove(&part->in_budget);
}

void
item_part_free(struct item_part *part)
{
    item_part_stop(part);
    item_pack_unref(&part->pack);
    free(part->id);
    part->id = NULL;
}
