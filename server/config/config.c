/*
 * config.c - from what was said to one checked struct.
 *
 *     gather --> settings --> build: defaults, then each setting --> check --> config
 */
#include "server/config/config.h"

#include "server/config/check.h"
#include "server/config/fields.h"
#include "server/config/gather.h"
#include "server/config/options.h"
#include "server/config/settings.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const enum section single_sections[] = { SECTION_TOP, SECTION_LIMITS,
                                                SECTION_LOADER, SECTION_CACHE };

static bool
no_memory(struct buf *error)
{
    buf_clear(error);
    BUF_APPEND_LIT(error, "out of memory");
    return false;
}

static struct config *
config_new(const char *path)
{
    struct config *c = calloc(1, sizeof(*c));
    bool ok;
    size_t i;

    if (c == NULL)
        return NULL;
    ok = (c->path = strdup(path == NULL ? "" : path)) != NULL;
    for (i = 0; i < ARRAY_LEN(single_sections); i++)
        ok = ok && fields_default(single_sections[i], c);
    if (!ok)
        config_free(&c);
    return c;
}

static bool
add_database(struct config *c, const char *name)
{
    struct config_database *list, *d;

    list = realloc(c->databases, (c->ndatabases + 1) * sizeof(*list));
    if (list == NULL)
        return false;
    c->databases = list;
    d = memset(&list[c->ndatabases++], 0, sizeof(*list));
    return (d->name = strdup(name)) != NULL && fields_default(SECTION_DATABASE, d);
}

static bool
add_source(struct config *c, const char *name)
{
    struct config_source *list, *s;

    list = realloc(c->sources, (c->nsources + 1) * sizeof(*list));
    if (list == NULL)
        return false;
    c->sources = list;
    s = memset(&list[c->nsources++], 0, sizeof(*list));
    return (s->name = strdup(name)) != NULL && fields_default(SECTION_SOURCE, s);
}

static bool
add_view(struct config *c, const char *name)
{
    struct config_view *list;

    list = realloc(c->views, (c->nviews + 1) * sizeof(*list));
    if (list == NULL)
        return false;
    c->views = list;
    list[c->nviews] = (struct config_view){ .name = strdup(name) };
    return list[c->nviews++].name != NULL;
}

/* The view of a part's title "VIEW.PART"; NULL: there is none. */
static struct config_view *
view_of(struct config *c, const char *title)
{
    size_t i, n = strcspn(title, ".");

    for (i = 0; i < c->nviews; i++) {
        if (strncmp(c->views[i].name, title, n) == 0 && c->views[i].name[n] == '\0')
            return &c->views[i];
    }
    return NULL;
}

static bool
add_part(struct config *c, const char *title)
{
    struct config_view *v = view_of(c, title);
    struct config_part *list, *p;

    assert(v != NULL);
    if ((list = realloc(v->parts, (v->nparts + 1) * sizeof(*list))) == NULL)
        return false;
    v->parts = list;
    p = memset(&list[v->nparts++], 0, sizeof(*list));
    return (p->name = strdup(strchr(title, '.') + 1)) != NULL &&
           fields_default(SECTION_PART, p);
}

static bool
add_section(struct config *c, enum section section, const char *title)
{
    switch (section) {
    case SECTION_DATABASE:
        return add_database(c, title);
    case SECTION_SOURCE:
        return add_source(c, title);
    case SECTION_VIEW:
        return add_view(c, title);
    case SECTION_PART:
        return add_part(c, title);
    case SECTION_TOP:
    case SECTION_LIMITS:
    case SECTION_LOADER:
    case SECTION_CACHE:
    case SECTION_NSECTIONS:
        break;
    }
    return true;
}

static bool
add_sections(struct config *c, const struct settings *s, struct buf *error)
{
    bool ok = true;
    size_t i, parts;

    /* Parts are declared before the view they stand in: second. */
    for (parts = 0; parts < 2; parts++) {
        for (i = 0; i < s->nsections && ok; i++) {
            const struct declared *one = &s->sections[i];

            if ((one->section == SECTION_PART) == (parts == 1))
                ok = add_section(c, one->section, one->title);
        }
    }
    return ok || no_memory(error);
}

static struct config_part *
part_of(struct config *c, const char *title)
{
    struct config_view *v = view_of(c, title);
    const char *name = strchr(title, '.') + 1;
    size_t i = 0;

    while (strcmp(v->parts[i].name, name) != 0)
        i++;
    return &v->parts[i];
}

/* The struct that holds the members of a setting's section. */
static void *
base_of(struct config *c, const struct setting *one)
{
    size_t i;

    for (i = 0; one->option->section == SECTION_DATABASE && i < c->ndatabases; i++) {
        if (strcmp(c->databases[i].name, one->title) == 0)
            return &c->databases[i];
    }
    for (i = 0; one->option->section == SECTION_SOURCE && i < c->nsources; i++) {
        if (strcmp(c->sources[i].name, one->title) == 0)
            return &c->sources[i];
    }
    if (one->option->section == SECTION_PART)
        return part_of(c, one->title);
    return c;
}

static bool
apply(struct config *c, const struct settings *s, struct buf *error)
{
    struct buf why = BUF_INIT;
    bool ok = true;
    size_t i;

    for (i = 0; i < s->n && ok; i++) {
        const struct setting *one = &s->list[i];

        ok = field_set(one->option, base_of(c, one), one->value, one->more, &why);
        if (!ok)
            settings_blame(error, one->origin, one->option->section, one->title,
                           one->option->name, "%.*s", SPAN_FMT(buf_span(&why)));
    }
    buf_fini(&why);
    return ok;
}

/* One worker for each core that this process may run on; a container or taskset
 * may leave fewer than the machine has. */
static unsigned
count_cores(void)
{
    const unsigned most = (unsigned)option_find(SECTION_TOP, "workers")->max;
    cpu_set_t cores;
    int n = 1;

    if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
        n = CPU_COUNT(&cores);
    if (n < 1)
        return 1;
    return (unsigned)n < most ? (unsigned)n : most;
}

struct config *
config_load(const char *path, const struct config_overrides *over, struct buf *error)
{
    struct settings s = SETTINGS_INIT;
    struct config *c = NULL;
    bool ok;

    buf_clear(error);
    ok = settings_gather(&s, path, over, error);
    if (ok && (s.failed || (c = config_new(path)) == NULL))
        ok = no_memory(error);
    ok = ok && add_sections(c, &s, error) && apply(c, &s, error) &&
         config_check(c, &s, error);
    if (ok && c->workers == 0)
        c->workers = count_cores();
    if (!ok) {
        /* The only failures without words are those of strdup. */
        if (buf_size(error) == 0)
            (void)no_memory(error);
        config_free(&c);
    }
    settings_fini(&s);
    return c;
}

static void
view_free(struct config_view *v)
{
    size_t i;

    for (i = 0; i < v->nparts; i++) {
        fields_free(SECTION_PART, &v->parts[i]);
        free(v->parts[i].name);
    }
    free(v->parts);
    free(v->name);
}

void
config_free(struct config **cp)
{
    struct config *c = *cp;
    size_t i, j;

    if (c == NULL)
        return;
    for (i = 0; i < c->ndatabases; i++) {
        struct config_database *d = &c->databases[i];

        fields_free(SECTION_DATABASE, d);
        free(d->name);
        for (j = 0; j < d->nhost_addrs; j++)
            free(d->host_addrs[j]);
    }
    for (i = 0; i < c->nsources; i++) {
        struct config_source *s = &c->sources[i];

        fields_free(SECTION_SOURCE, s);
        if (s->http.token != NULL)
            explicit_bzero(s->http.token, strlen(s->http.token));
        free(s->http.token);
        free(s->http.host);
        free(s->http.target);
        free(s->name);
    }
    for (i = 0; i < c->nviews; i++)
        view_free(&c->views[i]);
    free(c->views);
    for (i = 0; i < ARRAY_LEN(single_sections); i++)
        fields_free(single_sections[i], c);
    free(c->databases);
    free(c->sources);
    free(c->path);
    free(c);
    *cp = NULL;
}
