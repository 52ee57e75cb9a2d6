/*
 * check_view.c - whether the parts of a view fit together.
 *
 * Fills what follows: which source a part means, which part is merged, which are
 * required, and where a key comes from.
 */
#include "common/log.h"
#include "server/config/check_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part that is merged when no other is said to be. */
#define USUAL_MERGED "base"

struct check_view {
    struct check *k;
    struct config_view *v;
};

/* Refuses an option of a part; always false. */
#define REFUSE_PART(cv, part, name, ...) \
    REFUSE((cv)->k, SECTION_PART, part_title((cv)->v, (part)).text, (name), __VA_ARGS__)

struct part_title {
    char text[PART_TITLE_SIZE];
};

static struct part_title
part_title(const struct config_view *v, const struct config_part *p)
{
    struct part_title title;

    snprintf(title.text, sizeof(title.text), "%s.%s", v->name, p->name);
    return title;
}

/* The source of this name; config.nsources: none. */
static size_t
find_source(const struct config *c, const char *name)
{
    size_t i = 0;

    while (i < c->nsources && strcmp(c->sources[i].name, name) != 0)
        i++;
    return i;
}

static size_t
find_view(const struct config *c, const char *name)
{
    size_t i = 0;

    while (i < c->nviews && strcmp(c->views[i].name, name) != 0)
        i++;
    return i;
}

static bool
check_part_source(struct check_view *cv, struct config_part *p)
{
    const struct config *c = cv->k->c;
    char shown[LOG_ESCAPE_SIZE];

    if (p->source[0] == '\0')
        return REFUSE_PART(cv, p, "source", "required: the name of a source section");
    p->source_index = find_source(c, p->source);
    if (p->source_index < c->nsources)
        return true;
    log_escape(span_str(p->source), shown);
    if (find_view(c, p->source) < c->nviews)
        return REFUSE_PART(cv, p, "source",
                           "\"%s\" is a view; expected a source section, as views "
                           "are not made of views",
                           shown);
    return REFUSE_PART(cv, p, "source",
                       "expected the name of a source section, got \"%s\"", shown);
}

/* "PART.FIELD"; the field may be a path itself. */
static bool
check_part_key(struct check_view *cv, struct config_part *p)
{
    const struct config_view *v = cv->v;
    const char *point = strchr(p->key, '.');
    char shown[LOG_ESCAPE_SIZE];
    size_t i, n;

    p->key_part = (size_t)(p - v->parts);
    p->key_path = NULL;
    if (strcmp(p->key, "id") == 0)
        return true;
    if (point == NULL || point == p->key || point[1] == '\0')
        return REFUSE_PART(cv, p, "key", "expected \"id\" or \"PART.FIELD\", got \"%s\"",
                           log_escape(span_str(p->key), shown));
    n = (size_t)(point - p->key);
    for (i = 0; i < v->nparts; i++) {
        if (strncmp(v->parts[i].name, p->key, n) == 0 && v->parts[i].name[n] == '\0')
            break;
    }
    if (i == v->nparts)
        return REFUSE_PART(cv, p, "key", "the view has no part of the name \"%s\"",
                           log_escape(span_of(p->key, n), shown));
    p->key_part = i;
    p->key_path = point + 1;
    return true;
}

/* Following keys from part to part ends at one that is asked by the id. */
static bool
check_cycles(struct check_view *cv)
{
    const struct config_view *v = cv->v;
    size_t i, at, steps;

    for (i = 0; i < v->nparts; i++) {
        at = i;
        for (steps = 0; v->parts[at].key_path != NULL; steps++) {
            if (steps == v->nparts)
                return REFUSE_PART(cv, &v->parts[i], "key",
                                   "the keys of these parts go in a circle; one must be "
                                   "\"id\"");
            at = v->parts[at].key_part;
        }
    }
    return true;
}

/* Which part is merged: the one that says so, else the one called "base". */
static bool
settle_merged(struct check_view *cv)
{
    struct config_view *v = cv->v;
    size_t i;

    v->merged = v->nparts;
    for (i = 0; i < v->nparts; i++) {
        if (v->parts[i].merge != SWITCH_YES)
            continue;
        if (v->merged < v->nparts)
            return REFUSE_PART(cv, &v->parts[i], "merge",
                               "part %s is merged already; at most one can be",
                               v->parts[v->merged].name);
        v->merged = i;
    }
    for (i = 0; i < v->nparts && v->merged == v->nparts; i++) {
        if (strcmp(v->parts[i].name, USUAL_MERGED) == 0 &&
            v->parts[i].merge == SWITCH_UNSET)
            v->merged = i;
    }
    return true;
}

static void
settle_switches(struct config_view *v)
{
    size_t i;

    for (i = 0; i < v->nparts; i++) {
        struct config_part *p = &v->parts[i];

        p->merge = i == v->merged ? SWITCH_YES : SWITCH_NO;
        if (p->required == SWITCH_UNSET)
            p->required = p->merge;
    }
}

static bool
check_view(struct check *k, struct config_view *v)
{
    struct check_view cv = { k, v };
    size_t i;

    if (!check_section_name(k, SECTION_VIEW, v->name))
        return false;
    if (find_source(k->c, v->name) < k->c->nsources)
        return REFUSE(k, SECTION_VIEW, v->name, "",
                      "a source has this name; keys could mean either");
    if (v->nparts == 0 || v->nparts > CONFIG_PARTS_MAX)
        return REFUSE(k, SECTION_VIEW, v->name, "", "expected 1 to %d parts, got %zu",
                      CONFIG_PARTS_MAX, v->nparts);
    for (i = 0; i < v->nparts; i++) {
        if (!check_part_source(&cv, &v->parts[i]) || !check_part_key(&cv, &v->parts[i]))
            return false;
    }
    if (!check_cycles(&cv) || !settle_merged(&cv))
        return false;
    settle_switches(v);
    return true;
}

static bool
check_default(struct check *k)
{
    struct config *c = k->c;
    char shown[LOG_ESCAPE_SIZE];

    c->default_index = 0;
    if (c->default_source[0] == '\0')
        return true;
    c->default_index = find_source(c, c->default_source);
    if (c->default_index == c->nsources)
        c->default_index += find_view(c, c->default_source);
    if (c->default_index < c->nsources + c->nviews)
        return true;
    return REFUSE(k, SECTION_TOP, "", "default",
                  "expected the name of a source or view, got \"%s\"",
                  log_escape(span_str(c->default_source), shown));
}

bool
check_views(struct check *k)
{
    size_t i;

    for (i = 0; i < k->c->nviews; i++) {
        if (!check_view(k, &k->c->views[i]))
            return false;
    }
    return check_default(k);
}
