/*
 * sources.c - the sources of this worker and what leads to them.
 *
 * Owns: the databases (one private connection each), the HTTP APIs, a loader for each
 * source, the views over them, and the reading of a key's prefix: "tags:c" and "@@tags.c"
 * ask the source tags for c, ":c" asks the default source, and a prefix that names no
 * source belongs to the id.  A view is a source like any other here, behind the others.
 * Nobody writes "@@" by chance, so behind it a name that is none makes the key no id
 * at all: taken for an id of the default source it would be a MISS, and nobody would look.
 */
#include "server/source/http.h"
#include "server/source/mariadb.h"
#include "server/source/view.h"
#include "server/worker/state.h"

#include "common/log.h"

#include <stdlib.h>

/* Ids of each source between two looks at the clock, 2 us each. */
#define SETTLE_PIECE 8

/* Clients are let in once every database was heard of; HTTP APIs are asked when somebody
 * wants something. */
static void
sources_settled(struct worker *w)
{
    if (w->databases_settled == w->config->ndatabases)
        worker_settled(w);
}

static void
on_settled(void *arg)
{
    struct worker *w = arg;

    w->databases_settled++;
    sources_settled(w);
}

static void
on_refused(void *arg, const char *source, const char *why)
{
    worker_refused(arg, source, why);
}

static const struct mariadb_events database_events = { on_settled, on_refused };

static bool
sources_open_one(struct worker *w, size_t i)
{
    const struct config_source *s = &w->config->sources[i];
    struct loader_limits limits = { .max_batch = w->config->max_batch,
                                    .shared_batch = w->config->shared_batch };
    struct buf error = BUF_INIT;

    switch (s->kind) {
    case CONFIG_TABLE:
        w->sources[i] = mariadb_source(w->databases[s->database_index], i);
        break;
    case CONFIG_URL:
        limits.max_batch = s->http.ids_max;
        w->sources[i] = http_open(w->base, w->config, i, w->metrics, &error);
        if (buf_size(&error) > 0) {
            buf_append_char(&error, '\0');
            worker_refused(w, s->name, buf_span(&error).p);
        }
        buf_fini(&error);
        break;
    }
    if (w->sources[i] == NULL)
        return false;
    w->loaders[i] = loader_new(w->sources[i], &limits, w->metrics);
    return w->loaders[i] != NULL;
}

static bool
sources_open_views(struct worker *w)
{
    size_t i;

    w->views = views_new(w->config, w->sources, w->loaders, w->metrics);
    for (i = 0; w->views != NULL && i < w->config->nviews; i++)
        w->sources[w->config->nsources + i] = views_source(w->views, i);
    return w->views != NULL;
}

bool
sources_open(struct worker *w)
{
    const struct config *c = w->config;
    size_t i;

    w->databases = calloc(c->ndatabases, sizeof(*w->databases));
    w->nsources = c->nsources + c->nviews;
    w->sources = calloc(w->nsources, sizeof(*w->sources));
    w->loaders = calloc(c->nsources, sizeof(*w->loaders));
    if (w->databases == NULL || w->sources == NULL || w->loaders == NULL)
        return false;
    for (i = 0; i < c->ndatabases; i++) {
        w->databases[i] = mariadb_new(w->base, c, i, w->metrics, &database_events, w);
        if (w->databases[i] == NULL)
            return false;
    }
    for (i = 0; i < c->nsources; i++) {
        if (!sources_open_one(w, i))
            return false;
    }
    if (!sources_open_views(w))
        return false;
    sources_settled(w);
    return true;
}

void
sources_close(struct worker *w)
{
    size_t i;

    views_free(&w->views);
    for (i = 0; w->databases != NULL && i < w->config->ndatabases; i++)
        mariadb_free(&w->databases[i]);
    for (i = 0; w->sources != NULL && i < w->config->nsources; i++) {
        if (w->config->sources[i].kind == CONFIG_URL)
            http_close(&w->sources[i]);
    }
    for (i = 0; w->loaders != NULL && i < w->config->nsources; i++)
        loader_free(&w->loaders[i]);
    free(w->databases);
    free(w->sources);
    free(w->loaders);
    mariadb_library_end();
}

void
sources_flush(struct worker *w, usec_t now)
{
    size_t i, n = w->config->nsources, last = w->first_loader + n - 1;

    views_expire(w->views, now);
    for (i = 0; i < w->config->ndatabases; i++)
        mariadb_flush(w->databases[i]);
    /* Parts that became known may be the keys of others, which leave in this turn too. */
    do {
        for (i = 0; i < n; i++) {
            size_t which = (w->first_loader + i) % n;

            if (loader_flush(w->loaders[which]))
                last = which;
        }
    } while (views_settle(w->views, now));
    /* Sources that share a connection take turns: who sent comes last the next time. */
    w->first_loader = (last + 1) % n;
}

bool
sources_settling(const struct worker *w)
{
    size_t i;

    for (i = 0; i < w->config->nsources; i++) {
        if (loader_settling(w->loaders[i]))
            return true;
    }
    return false;
}

void
sources_settle(struct worker *w)
{
    size_t i;

    do {
        for (i = 0; i < w->config->nsources; i++)
            loader_settle(w->loaders[i], SETTLE_PIECE);
    } while (sources_settling(w) && !worker_share_over(w, clock_now()));
}

/* The source of this name; the number of sources when there is none. */
static size_t
sources_find(const struct worker *w, struct span name)
{
    size_t i;

    for (i = 0; i < w->nsources; i++) {
        if (span_equal(name, span_str(w->sources[i]->name)))
            break;
    }
    return i;
}

size_t
sources_resolve(const struct worker *w, struct span key, struct span *id)
{
    bool alias = key.n >= 2 && key.p[0] == '@' && key.p[1] == '@';
    size_t skip = alias ? 2 : 0, n, which;
    const char *mark = memchr(key.p + skip, alias ? '.' : ':', key.n - skip);
    const size_t usual = w->config->default_index;

    *id = key;
    if (mark == NULL)
        return alias ? SOURCE_NONE : usual;
    n = (size_t)(mark - key.p);
    which = n == 0 ? usual : sources_find(w, span_of(key.p + skip, n - skip));
    if (which == w->nsources)
        return alias ? SOURCE_NONE : usual;
    *id = span_of(mark + 1, key.n - n - 1);
    return which;
}

static bool
has_fields(const struct source *s, const struct command *command)
{
    size_t i;

    for (i = 0; i < command->nfields; i++) {
        if (!s->ops->has_field(s, command->fields[i]))
            return false;
    }
    return true;
}

void
sources_check(const struct worker *w, struct command *command)
{
    size_t i, which, last = SOURCE_NONE;
    struct span id;

    if (!command->fields_must_exist || command->nfields == 0)
        return;
    for (i = 0; i < command->nkeys; i++) {
        which = sources_resolve(w, command->keys[i], &id);
        if (which == last || which == SOURCE_NONE)
            continue; /* neighbours mostly ask the same source */
        last = which;
        if (!has_fields(w->sources[which], command)) {
            command_refuse(command, COMMAND_ERROR_OPTION,
                           "fields: a source of these keys has no such field");
            return;
        }
    }
}

void
sources_each(void *worker, void (*line)(struct buf *out, struct span text),
             struct buf *out)
{
    const struct worker *w = worker;
    struct buf text = BUF_INIT;
    size_t i;

    for (i = 0; i < w->nsources; i++) {
        const struct source *s = w->sources[i];

        buf_clear(&text);
        buf_append_fmt(&text, "%s %s %s ", s->name, s->ops->kind, s->key);
        s->ops->describe(s, &text);
        line(out, buf_span(&text));
    }
    buf_fini(&text);
}
