/*
 * view_item.c - one item being put together.
 *
 * Owns: which parts are asked, when and for what.
 *
 *     new --parts asked by the id--> open --a part is known--> touched
 *      touched --end of the turn--> parts asked by that part's field (a second wave)
 *                                   told (view_answer.c), or open again
 */
#include "server/source/view_parts.h"

#include "server/item/decode.h"
#include "server/item/project.h"

#include <stdlib.h>

/* What a byte of a decoded string takes at most in JSON: \uXXXX. */
#define ESCAPED_MAX 6

/* --- keys that come out of other parts ----------------------------------------------------- */

/* A string of JSON as an id; false: it cannot be one. */
static bool
key_from_string(struct span string, char *id, size_t *n)
{
    struct buf text = BUF_INIT;
    bool fits = string.n <= ESCAPED_MAX * SOURCE_KEY_MAX + 2;

    if (fits)
        json_append_decoded(&text, string);
    *n = buf_size(&text);
    fits = fits && !buf_failed(&text) && *n > 0 && *n <= SOURCE_KEY_MAX;
    if (fits)
        memcpy(id, text.data, *n);
    buf_fini(&text);
    return fits;
}

/* Asks for the part by a value of another one.  Without a value there is nothing to ask
 * for: a MISS.  What is neither a number nor a text is no key. */
static void
part_follow(struct item_part *part, const struct item_part *other, usec_t now)
{
    struct span path = span_str(part_kind(part)->settings->key_path), value;
    char id[SOURCE_KEY_MAX];
    size_t n;

    part->asked = true;
    if (!item_present(other->status))
        item_part_known(part, other->status);
    else if (!json_find(json_plain(item_part_json(other)), path, &value) ||
             value.p[0] == 'n')
        item_part_known(part, ITEM_MISS);
    else if (value.p[0] == '"' && key_from_string(value, id, &n))
        item_part_ask(part, span_of(id, n), now);
    else if (memchr("-0123456789", value.p[0], 11) != NULL)
        item_part_ask(part, value, now);
    else
        item_part_known(part, ITEM_FAIL_BADID);
}

bool
item_follow(struct view_item *item, usec_t now)
{
    bool any = false, again;
    size_t i;

    do {
        again = false;
        for (i = 0; i < item->view->n; i++) {
            struct item_part *part = &item->parts[i];
            const struct item_part *other =
                &item->parts[part_kind(part)->settings->key_part];

            if (part->asked || other->status == ITEM_OPEN)
                continue;
            part_follow(part, other, now);
            any = again = true;
        }
    } while (again);
    return any;
}

/* --- which parts are wanted at all ---------------------------------------------------------- */

/* Does a path that will be shown lead into this part? */
static bool
part_shown(const struct view_item *item, size_t i)
{
    struct span rest;
    size_t f;

    for (f = 0; f < item->asker.nfields; f++) {
        if (view_part_of(item->view, item->asker.fields[f], &rest) == i)
            return true;
    }
    return item->asker.nfields == 0;
}

/* Parts that are neither shown, nor required, nor the key of one that is, are left alone:
 * who asks for two columns does not wait for a price.  Without a required part any of them
 * may be the one that tells whether there is an item. */
static void
item_skip(struct view_item *item)
{
    const struct view *v = item->view;
    bool any_required = false;
    size_t i, at;

    for (i = 0; i < v->n; i++)
        any_required = any_required || part_required(&item->parts[i]);
    for (i = 0; i < v->n; i++)
        item->parts[i].skipped = any_required;
    for (i = 0; i < v->n; i++) {
        if (!part_required(&item->parts[i]) && !part_shown(item, i))
            continue;
        for (at = i; item->parts[at].skipped; at = v->parts[at].settings->key_part)
            item->parts[at].skipped = false;
    }
    for (i = 0; i < v->n; i++) {
        item->parts[i].asked = item->parts[i].skipped;
        if (item->parts[i].skipped)
            item->parts[i].status = ITEM_MISS;
    }
}

/* --- birth and death ------------------------------------------------------------------------ */

struct view_item *
view_item_new(struct source *view, struct span id, const struct view_asker *asker,
              struct loader_waiter *waiter, usec_t now)
{
    struct view *v = CONTAINER_OF(view, struct view, source);
    struct view_item *item = calloc(1, sizeof(*item) + v->n * sizeof(item->parts[0]));
    size_t i;

    if (item == NULL)
        return NULL;
    list_init(&item->in_touched);
    item->view = v;
    item->asker = *asker;
    item->waiter = waiter;
    for (i = 0; i < v->n; i++) {
        item->parts[i].item = item;
        list_init(&item->parts[i].in_budget);
    }
    item_skip(item);
    for (i = 0; i < v->n; i++) {
        if (!item->parts[i].asked && v->parts[i].settings->key_path == NULL)
            item_part_ask(&item->parts[i], id, now);
    }
    metrics_add(v->views->metrics, METRIC_view_items, 1);
    return item;
}

size_t
view_item_parts(const struct view_item *item)
{
    return item->view->n;
}

void
item_stop(struct view_item *item)
{
    size_t i;

    list_remove(&item->in_touched);
    for (i = 0; i < item->view->n; i++)
        item_part_stop(&item->parts[i]);
}

void
view_item_free(struct view_item **item)
{
    size_t i;

    if (*item == NULL)
        return;
    item_stop(*item);
    for (i = 0; i < (*item)->view->n; i++)
        item_part_free(&(*item)->parts[i]);
    free(*item);
    *item = NULL;
}
