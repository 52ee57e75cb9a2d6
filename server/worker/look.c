/*
 * look.c - what can be answered without asking anybody.
 */
#include "server/worker/look.h"

#include "server/worker/state.h"

/* Bytes after which a look ends; what one item may add on top. */
#define LOOK_BYTES ((size_t)1 << 20)
#define LOOK_BYTES_MAX (LOOK_BYTES + CACHE_ITEM_MAX + CACHE_MARKS_MAX)

/* What became of a look, counted once for all. */
struct tally {
    size_t fresh, stale, negative, misses;
    usec_t oldest;
};

void
look_init(struct look *look)
{
    buf_init(&look->bytes, LOOK_BYTES_MAX);
}

void
look_fini(struct look *look)
{
    buf_fini(&look->bytes);
}

usec_t
look_max_age(const struct command *c)
{
    if (c->fresh)
        return 0;
    return c->maxage_ms == 0 ? LOOKUP_ANY_AGE : c->maxage_ms * USEC_PER_MSEC;
}

static void
glance_begin(const struct worker *w, struct glance *g, struct item_result *result,
             const struct command *c)
{
    const struct source *source;
    struct span rest;

    g->lookup = NULL;
    g->which = sources_resolve(w, result->key, &rest);
    if (g->which == SOURCE_NONE) {
        result->status = ITEM_FAIL_BADID;
        return;
    }
    source = w->sources[g->which];
    switch (source->ops->key(source, rest, g->id, &g->id_len)) {
    case SOURCE_KEY_BAD:
        result->status = ITEM_FAIL_BADID;
        return;
    case SOURCE_KEY_ABSENT:
        result->status = ITEM_MISS;
        return;
    case SOURCE_KEY_UNKNOWN:
        result->status = source->ops->failure;
        return;
    case SOURCE_KEY_OK:
        break;
    }
    if (c->fresh || g->which >= w->config->nsources || !lookup_on(&w->lookups[g->which]))
        return;
    g->lookup = &w->lookups[g->which];
    lookup_key(g->lookup, span_of(g->id, g->id_len), &g->key);
}

static enum item_origin
glance_end(struct worker *w, struct glance *g, struct item_result *result,
           const struct command *c, usec_t now, struct look *look, struct tally *tally)
{
    struct lookup_item item = { .with_marks = command_wants_members(c) };

    switch (lookup_get(g->lookup, &g->key, look_max_age(c), now, &look->bytes, &item)) {
    case LOOKUP_FRESH:
        result->status = ITEM_FOUND;
        tally->fresh++;
        break;
    case LOOKUP_STALE:
        result->status = ITEM_STALE;
        result->age_ms = (unsigned)(item.age / USEC_PER_MSEC);
        tally->stale++;
        loader_refresh(w->loaders[g->which], span_of(g->id, g->id_len), now);
        break;
    case LOOKUP_ABSENT:
        result->status = ITEM_MISS;
        tally->negative++;
        return ITEM_FROM_CACHE;
    case LOOKUP_TOO_OLD:
    case LOOKUP_NOTHING:
        tally->misses++;
        return ITEM_FROM_NOBODY;
    }
    result->json = span_of(NULL, item.len);
    result->nmarks = (unsigned)item.nmarks;
    tally->oldest = item.age > tally->oldest ? item.age : tally->oldest;
    return result->status == ITEM_STALE ? ITEM_FROM_STALE : ITEM_FROM_CACHE;
}

void
look_begin(const struct worker *w, struct glance *glances, struct item_result *results,
           size_t n, const struct command *c)
{
    size_t i;

    for (i = 0; i < n; i++)
        glance_begin(w, &glances[i], &results[i], c);
}

void
look_near(const struct glance *glances, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (glances[i].lookup != NULL)
            cache_approach(&glances[i].key);
    }
    for (i = 0; i < n; i++) {
        if (glances[i].lookup != NULL)
            cache_prefetch(glances[i].lookup->cache, &glances[i].key);
    }
}

/* Reads what is near into the look, as far as there is room. */
static void
look_read(struct worker *w, struct look *look, struct glance *glances,
          struct item_result *results, size_t n, const struct command *c, usec_t now,
          struct tally *tally)
{
    size_t i;

    for (i = 0; i < n && buf_size(&look->bytes) < LOOK_BYTES; i++) {
        look->off[look->n] = look->bytes.len;
        look->from[look->n] = ITEM_FROM_NOBODY;
        if (glances[i].lookup != NULL)
            look->from[look->n] = (unsigned char)glance_end(w, &glances[i], &results[i],
                                                            c, now, look, tally);
        look->known += results[i].status != ITEM_OPEN;
        look->n++;
    }
    for (; i < n; i++)
        results[i].status = ITEM_OPEN; /* not looked at: the items are large */
}

static void
tally_count(const struct tally *t, struct metrics *m)
{
    metrics_add(m, METRIC_cache_hits, t->fresh);
    metrics_add(m, METRIC_cache_stale, t->stale);
    metrics_add(m, METRIC_cache_negative, t->negative);
    metrics_add(m, METRIC_cache_misses, t->misses);
    metrics_peak(m, METRIC_cache_oldest_ms, t->oldest / USEC_PER_MSEC);
}

static void
look_clear(struct look *look)
{
    buf_clear(&look->bytes);
    look->n = look->known = 0;
}

/* The bytes stay where they are now. */
static void
look_finish(struct worker *w, const struct look *look, struct item_result *results,
            const struct tally *tally)
{
    size_t i;

    for (i = 0; i < look->n; i++) {
        if (item_present(results[i].status))
            results[i].json.p = look->bytes.data + look->off[i];
    }
    tally_count(tally, w->metrics);
}

void
look_end(struct worker *w, struct look *look, struct glance *glances,
         struct item_result *results, size_t n, const struct command *c, usec_t now)
{
    struct tally tally = { .fresh = 0 };

    look_clear(look);
    look_read(w, look, glances, results, n, c, now, &tally);
    look_finish(w, look, results, &tally);
}

void
look_up(struct worker *w, struct look *look, struct item_result *results, size_t n,
        const struct command *c, usec_t now)
{
    struct glance glances[LOOK_GROUP];
    struct tally tally = { .fresh = 0 };
    size_t some;

    look_clear(look);
    n = n < LOOK_MAX ? n : LOOK_MAX;
    while (look->n < n && buf_size(&look->bytes) < LOOK_BYTES) {
        some = n - look->n < LOOK_GROUP ? n - look->n : LOOK_GROUP;
        look_begin(w, glances, results + look->n, some, c);
        look_near(glances, some);
        look_read(w, look, glances, results + look->n, some, c, now, &tally);
    }
    look_finish(w, look, results, &tally);
}

enum lookup_verdict
look_rescue(struct worker *w, struct span key, const struct command *c, usec_t now,
            struct item_pack **pack, usec_t *age)
{
    char id[SOURCE_KEY_MAX];
    const struct lookup *l;
    struct cache_key at;
    struct lookup_item item = { .with_marks = false };
    enum lookup_verdict verdict;
    struct span rest;
    size_t id_len, which = sources_resolve(w, key, &rest);

    if (which >= w->config->nsources || !lookup_rescues(l = &w->lookups[which]) ||
        w->sources[which]->ops->key(w->sources[which], rest, id, &id_len) !=
            SOURCE_KEY_OK ||
        (*pack = item_pack_new()) == NULL)
        return LOOKUP_NOTHING;
    lookup_key(l, span_of(id, id_len), &at);
    verdict = lookup_fallback(l, &at, look_max_age(c), now, &(*pack)->bytes, &item);
    *age = item.age;
    if (verdict == LOOKUP_STALE)
        metrics_add(w->metrics, METRIC_cache_rescues, 1);
    else
        item_pack_unref(pack);
    return verdict;
}
