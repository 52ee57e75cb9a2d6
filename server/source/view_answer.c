/*
 * view_answer.c - one item being put together: its answer.
 *
 * Owns: the judgement whether an item is whole, what is missing of it, and its bytes.
 * Items that are whole at the end of a turn are composed together into one pack.  Where
 * the merged part is alone, its own bytes are handed on.
 */
#include "server/source/view_parts.h"

#include "server/item/merge.h"

#include <stdlib.h>

/* Items of one turn share packs of about this size; what is held of one is small. */
#define PACK_BYTES ((size_t)256 << 10)

/* --- the judgement ------------------------------------------------------------------------------ */

/* Without a required part: a MISS counts before a failure, because it is the last word. */
static enum item_status
judge_required(const struct view_item *item)
{
    enum item_status verdict = ITEM_FOUND;
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        const struct item_part *part = &item->parts[i];

        if (!part_required(part) || item_present(part->status))
            continue;
        if (part->status == ITEM_MISS)
            return ITEM_MISS;
        if (verdict == ITEM_FOUND || (verdict == ITEM_OPEN && item_failed(part->status)))
            verdict = part->status;
    }
    return verdict;
}

/* An item of which no part is there is none: MISS if every part says so. */
static enum item_status
judge_rest(const struct view_item *item)
{
    enum item_status verdict = ITEM_MISS;
    bool present = false;
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        const struct item_part *part = &item->parts[i];

        if (part->status == ITEM_OPEN)
            return ITEM_OPEN;
        present = present || item_present(part->status);
        if (verdict == ITEM_MISS && item_failed(part->status))
            verdict = part->status;
    }
    return present ? ITEM_FOUND : verdict;
}

/* ITEM_OPEN: too early to tell.  ITEM_FOUND: it can be composed. */
static enum item_status
item_judge(const struct view_item *item)
{
    enum item_status verdict = judge_required(item);

    return verdict == ITEM_FOUND ? judge_rest(item) : verdict;
}

/* --- what is missing --------------------------------------------------------------------------- */

static bool
part_missing(const struct item_part *part)
{
    return !part->skipped && part->status != ITEM_OPEN && !item_present(part->status);
}

size_t
view_item_lacks(const struct view_item *item)
{
    size_t i, n = 0;

    for (i = 0; i < item->view->n; i++)
        n += part_missing(&item->parts[i]) && item->parts[i].status != ITEM_MISS;
    return n;
}

void
view_item_append_missing(const struct view_item *item, struct buf *out)
{
    const char *separator = "";
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        const struct item_part *part = &item->parts[i];
        struct span code = item_fail_code(part->status);

        if (!part_missing(part))
            continue;
        buf_append_fmt(out, "%s%s:", separator, part_kind(part)->settings->name);
        buf_append_span(out, code.n > 0 ? code : SPAN("miss"));
        separator = ",";
    }
}

static void
item_count_missing(const struct view_item *item)
{
    struct metrics *m = item->view->views->metrics;
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        const struct item_part *part = &item->parts[i];

        if (!part_missing(part))
            continue;
        part_kind(part)->left_out++;
        metrics_add(m,
                    part->status == ITEM_MISS           ? METRIC_view_parts_absent
                    : part->status == ITEM_FAIL_TIMEOUT ? METRIC_view_parts_late
                                                        : METRIC_view_parts_failed,
                    1);
    }
    if (view_item_lacks(item) > 0)
        metrics_add(m, METRIC_view_partial, 1);
}

/* --- how old, and from whom -------------------------------------------------------------------- */

/* Who knew it: of its parts, the one that was furthest away. */
static enum item_origin
item_origin(const struct view_item *item)
{
    enum item_origin furthest = ITEM_FROM_NOBODY;
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        if (item->parts[i].origin > furthest)
            furthest = item->parts[i].origin;
    }
    return furthest;
}

static enum item_status
item_shown_as(const struct view_item *item)
{
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        if (item->parts[i].status == ITEM_STALE)
            return ITEM_STALE;
    }
    return ITEM_FOUND;
}

/* Of its oldest part that is stale. */
static unsigned
item_age(const struct view_item *item)
{
    unsigned oldest = 0;
    size_t i;

    for (i = 0; i < item->view->n; i++) {
        if (item->parts[i].status == ITEM_STALE && item->parts[i].age_ms > oldest)
            oldest = item->parts[i].age_ms;
    }
    return oldest;
}

/* --- the answer ---------------------------------------------------------------------------------- */

/* The waiter may free the item: nothing of it is touched afterwards. */
static void
item_tell(struct view_item *item, enum item_status status, struct span json,
          struct item_pack *pack)
{
    item_stop(item);
    item->waiter->origin = (unsigned char)item_origin(item);
    item->waiter->age_ms = item_age(item);
    if (item_present(status))
        item_count_missing(item);
    item->waiter->answered(item->waiter, status, json, pack);
}

static void
item_fail(struct view_item *item, enum item_status status)
{
    item_tell(item, status, span_of(NULL, 0), NULL);
}

/* What an item is composed of. */
struct ingredients {
    struct span top;
    struct merge_part parts[CONFIG_PARTS_MAX];
    size_t n;
    bool others; /* is any part there but the merged one? */
};

static void
item_gather(const struct view_item *item, struct ingredients *in)
{
    const struct view *v = item->view;
    size_t i;

    in->top = span_of(NULL, 0);
    in->n = 0;
    in->others = false;
    for (i = 0; i < v->n; i++) {
        const struct item_part *part = &item->parts[i];
        struct merge_part *one = &in->parts[in->n];

        if (i == v->settings->merged) {
            in->top = item_part_json(part);
            continue;
        }
        one->name = v->parts[i].name;
        one->json = item_part_json(part);
        in->others = in->others || one->json.n > 0;
        in->n++;
    }
}

/* Could the merged part have a member of some other part's name? */
static bool
view_may_clash(const struct view *v)
{
    const struct source *top;
    size_t i;

    if (v->settings->merged == v->n)
        return false;
    top = v->parts[v->settings->merged].source;
    for (i = 0; i < v->n; i++) {
        if (i != v->settings->merged && top->ops->has_field(top, v->parts[i].name))
            return true;
    }
    return false;
}

static size_t
item_size(const struct view_item *item)
{
    struct ingredients in;

    item_gather(item, &in);
    return merge_size(in.top, in.parts, in.n);
}

/* Room was made beforehand, so this cannot fail. */
static void
item_compose(struct view_item *item, struct buf *out)
{
    struct ingredients in;

    item_gather(item, &in);
    item->off = out->len;
    merge_append(out, in.top, in.parts, in.n, view_may_clash(item->view));
    item->len = out->len - item->off;
}

/* The merged part alone is the item: nothing to copy.  false: there is more to it. */
static bool
item_pass_on(struct view_item *item)
{
    struct ingredients in;
    struct item_part *top;

    item_gather(item, &in);
    if (in.others || in.top.n == 0 || view_may_clash(item->view))
        return false;
    top = &item->parts[item->view->settings->merged];
    if (top->pack == item->view->views->known)
        views_close_known(item->view->views);
    item_tell(item, item_shown_as(item), in.top, top->pack);
    return true;
}

/* Composes the first items of 'ready', at most about PACK_BYTES, and tells them. */
static void
tell_some(struct list *ready)
{
    struct list some = LIST_INIT(some), *node;
    struct item_pack *pack = item_pack_new();
    size_t bytes = 0;

    do {
        node = list_pop(ready);
        list_append(&some, node);
        bytes += item_size(CONTAINER_OF(node, struct view_item, in_touched));
    } while (!list_empty(ready) && bytes < PACK_BYTES);
    if (pack == NULL || buf_reserve(&pack->bytes, bytes) == NULL) {
        while ((node = list_pop(&some)) != NULL)
            item_fail(CONTAINER_OF(node, struct view_item, in_touched),
                      ITEM_FAIL_OVERLOAD);
    }
    for (node = some.next; node != &some; node = node->next)
        item_compose(CONTAINER_OF(node, struct view_item, in_touched), &pack->bytes);
    while ((node = list_pop(&some)) != NULL) {
        struct view_item *item = CONTAINER_OF(node, struct view_item, in_touched);

        if (item->len > item->view->views->config->item_max_bytes)
            item_fail(item, ITEM_FAIL_TOOBIG);
        else
            item_tell(item, item_shown_as(item),
                      span_of(pack->bytes.data + item->off, item->len), pack);
    }
    item_pack_unref(&pack);
}

/* Tells the item what is known of it, or lets it wait, or puts it on 'ready'. */
static void
item_settle(struct view_item *item, struct list *ready)
{
    enum item_status verdict = item_judge(item);

    if (verdict == ITEM_OPEN)
        return;
    if (verdict != ITEM_FOUND)
        item_fail(item, verdict);
    else if (!item_pass_on(item))
        list_append(ready, &item->in_touched);
}

bool
views_settle(struct views *views, usec_t now)
{
    struct list ready = LIST_INIT(ready), *node;
    bool wanted = false;

    while ((node = list_pop(&views->touched)) != NULL) {
        struct view_item *item = CONTAINER_OF(node, struct view_item, in_touched);

        /* What follows may become known at once and touch the item again: fine. */
        wanted = item_follow(item, now) || wanted;
        list_remove(&item->in_touched);
        item_settle(item, &ready);
    }
    while (!list_empty(&ready))
        tell_some(&ready);
    views_close_known(views);
    return wanted;
}

void
view_item_expire(struct view_item *item)
{
    struct list ready = LIST_INIT(ready);
    usec_t now = clock_now();
    size_t i;

    item_stop(item);
    for (i = 0; i < item->view->n; i++) {
        if (item->parts[i].status == ITEM_OPEN)
            item_part_failed(&item->parts[i], ITEM_FAIL_TIMEOUT, now);
    }
    list_remove(&item->in_touched);
    item_settle(item, &ready);
    if (!list_empty(&ready))
        tell_some(&ready);
}
