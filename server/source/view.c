/*
 * view.c - the views of a worker: which there are, and what they are as sources.
 *
 * A view takes no batches, so room, batch_ids and fetch have nothing to say; its items
 * are put together in view_item.c.
 */
#include "server/source/view.h"

#include "server/source/view_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

static const struct view *
view_of(const struct source *s)
{
    return CONTAINER_OF(s, struct view, source);
}

static enum source_state
view_state(const struct source *s)
{
    const struct view *v = view_of(s);
    enum source_state worst = SOURCE_UP, state;
    size_t i;

    for (i = 0; i < v->n; i++) {
        if (v->parts[i].settings->required != SWITCH_YES)
            continue;
        state = source_state(v->parts[i].source);
        worst = state > worst ? state : worst;
    }
    return worst;
}

/* Each part judges the id for itself, when it is asked. */
static enum source_key_verdict
view_key(const struct source *s, struct span key, char *id, size_t *id_len)
{
    (void)s;
    if (key.n == 0 || key.n > SOURCE_KEY_MAX)
        return SOURCE_KEY_BAD;
    memcpy(id, key.p, key.n);
    *id_len = key.n;
    return SOURCE_KEY_OK;
}

size_t
view_part_of(const struct view *v, struct span path, struct span *rest)
{
    const char *point = memchr(path.p, '.', path.n);
    size_t n = point == NULL ? path.n : (size_t)(point - path.p), i;

    for (i = 0; i < v->n; i++) {
        if (i == v->settings->merged || !span_equal(span_of(path.p, n), v->parts[i].name))
            continue;
        *rest = point == NULL ? span_of(NULL, 0) : span_of(point + 1, path.n - n - 1);
        return i;
    }
    *rest = path;
    return v->settings->merged;
}

/* A part's name alone, a field of a part, or a field of the merged part. */
static bool
view_has_field(const struct source *s, struct span path)
{
    const struct view *v = view_of(s);
    struct span rest;
    size_t i = view_part_of(v, path, &rest);
    const struct source *part;

    if (i == v->n)
        return false;
    part = v->parts[i].source;
    return rest.p == NULL || part->ops->has_field(part, rest);
}

static void
describe_part(const struct view_part *part, struct buf *out)
{
    const struct config_part *p = part->settings;

    buf_append_fmt(out, "%s=%s(%s", p->name, p->source,
                   p->required == SWITCH_YES ? "required" : "optional");
    if (p->merge == SWITCH_YES)
        BUF_APPEND_LIT(out, ",merged");
    if (p->key_path != NULL)
        buf_append_fmt(out, ",key=%s", p->key);
    if (p->budget_ms > 0)
        buf_append_fmt(out, ",budget=%ums", p->budget_ms);
    if (part->left_out > 0)
        buf_append_fmt(out, ",left_out=%" PRIu64, part->left_out);
    buf_append_char(out, ')');
}

static void
view_describe(const struct source *s, struct buf *out)
{
    const struct view *v = view_of(s);
    size_t i;

    buf_append_fmt(out,
                   "state=%s parts=", view_state(s) == SOURCE_DOWN ? "down" : "ready");
    for (i = 0; i < v->n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        describe_part(&v->parts[i], out);
    }
}

static const struct source_ops view_ops = {
    .kind = "view",
    .failure = ITEM_FAIL_OVERLOAD,
    .state = view_state,
    .key = view_key,
    .has_field = view_has_field,
    .describe = view_describe,
};

static void
view_init(struct view *v, struct views *views, const struct config_view *settings,
          struct source **sources, struct loader **loaders)
{
    size_t i;

    v->source = (struct source){ .ops = &view_ops, .name = settings->name, .key = "id" };
    v->views = views;
    v->settings = settings;
    v->n = settings->nparts;
    for (i = 0; i < v->n; i++) {
        struct view_part *p = &v->parts[i];

        p->settings = &settings->parts[i];
        p->name = span_str(p->settings->name);
        p->source = sources[p->settings->source_index];
        p->loader = loaders[p->settings->source_index];
        list_init(&p->on_budget);
    }
}

struct views *
views_new(const struct config *config, struct source **sources, struct loader **loaders,
          struct metrics *metrics)
{
    struct views *views = calloc(1, sizeof(*views));
    size_t i;

    if (views == NULL)
        return NULL;
    views->config = config;
    views->metrics = metrics;
    list_init(&views->touched);
    views->list = calloc(config->nviews + 1, sizeof(views->list[0]));
    if (views->list == NULL) {
        free(views);
        return NULL;
    }
    for (views->n = config->nviews, i = 0; i < views->n; i++)
        view_init(&views->list[i], views, &config->views[i], sources, loaders);
    return views;
}

void
views_free(struct views **views)
{
    if (*views == NULL)
        return;
    assert(list_empty(&(*views)->touched));
    views_close_known(*views);
    free((*views)->list);
    free(*views);
    *views = NULL;
}

struct source *
views_source(struct views *views, size_t i)
{
    assert(i < views->n);
    return &views->list[i].source;
}

/* The part that waited longest on a budget of this kind; NULL: none does. */
static struct item_part *
first_on_budget(const struct view_part *p)
{
    return list_empty(&p->on_budget)
               ? NULL
               : CONTAINER_OF(p->on_budget.next, struct item_part, in_budget);
}

usec_t
views_due(const struct views *views)
{
    const struct item_part *first;
    usec_t due = 0;
    size_t i, j;

    for (i = 0; i < views->n; i++) {
        for (j = 0; j < views->list[i].n; j++) {
            first = first_on_budget(&views->list[i].parts[j]);
            if (first != NULL && (due == 0 || first->due < due))
                due = first->due;
        }
    }
    return due;
}

void
views_expire(struct views *views, usec_t now)
{
    struct item_part *first;
    size_t i, j;

    for (i = 0; i < views->n; i++) {
        for (j = 0; j < views->list[i].n; j++) {
            const struct view_part *p = &views->list[i].parts[j];

            while ((first = first_on_budget(p)) != NULL && first->due <= now) {
                item_part_stop(first);
                item_part_failed(first, ITEM_FAIL_TIMEOUT, now);
            }
        }
    }
}
