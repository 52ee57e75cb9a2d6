/*
 * settings.c - values on their way into the struct, each with its origin.
 */
#include "server/config/settings.h"

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more element of 'size' bytes behind 'n'; NULL: no memory. */
static void *
grow(struct settings *s, void *list, size_t n, size_t size)
{
    void *p;

    /* Powers of two: when 'n' is one, the block is full. */
    if (n != 0 && (n & (n - 1)) != 0)
        return list;
    if ((p = realloc(list, (n == 0 ? 1 : 2 * n) * size)) == NULL)
        s->failed = true;
    return p;
}

static void
setting_fini(struct setting *one)
{
    if (one->value != NULL)
        explicit_bzero(one->value, strlen(one->value));
    free(one->value);
    free(one->title);
}

void
settings_add(struct settings *s, const struct option *o, const char *title,
             const char *value, bool more, struct origin origin)
{
    struct setting *list, one;

    if ((list = grow(s, s->list, s->n, sizeof(*s->list))) == NULL)
        return;
    s->list = list;
    one.option = o;
    one.title = strdup(title);
    one.value = strdup(value);
    one.more = more;
    one.origin = origin;
    if (one.title == NULL || one.value == NULL) {
        setting_fini(&one);
        s->failed = true;
        return;
    }
    s->list[s->n++] = one;
}

void
settings_declare(struct settings *s, enum section section, const char *title,
                 struct origin origin)
{
    struct declared *list;
    char *copy;

    if ((list = grow(s, s->sections, s->nsections, sizeof(*s->sections))) == NULL)
        return;
    s->sections = list;
    if ((copy = strdup(title)) == NULL) {
        s->failed = true;
        return;
    }
    s->sections[s->nsections++] = (struct declared){ section, copy, origin };
}

void
settings_retitle(struct settings *s, enum section section, const char *from,
                 const char *to)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        struct setting *one = &s->list[i];
        char *copy;

        if (one->option->section != section || strcmp(one->title, from) != 0)
            continue;
        if ((copy = strdup(to)) == NULL) {
            s->failed = true;
            return;
        }
        free(one->title);
        one->title = copy;
    }
}

/* Exactly one of 'o' and 'section' selects: 'o' when it is not NULL. */
static void
drop_where(struct settings *s, const struct option *o, enum section section)
{
    size_t i, kept = 0;

    for (i = 0; i < s->n; i++) {
        if (o != NULL ? s->list[i].option == o : s->list[i].option->section == section)
            setting_fini(&s->list[i]);
        else
            s->list[kept++] = s->list[i];
    }
    s->n = kept;
}

void
settings_drop(struct settings *s, const struct option *o)
{
    drop_where(s, o, o->section);
}

void
settings_drop_section(struct settings *s, enum section section)
{
    size_t i, kept = 0;

    drop_where(s, NULL, section);
    for (i = 0; i < s->nsections; i++) {
        if (s->sections[i].section == section)
            free(s->sections[i].title);
        else
            s->sections[kept++] = s->sections[i];
    }
    s->nsections = kept;
}

const struct setting *
settings_find(const struct settings *s, enum section section, const char *title,
              const char *name)
{
    size_t i;

    for (i = s->n; i-- > 0;) {
        const struct setting *one = &s->list[i];

        if (one->option->section == section && strcmp(one->option->name, name) == 0 &&
            strcmp(one->title, title) == 0)
            return one->value[0] == '\0' && !one->more ? NULL : one;
    }
    return NULL;
}

const struct declared *
settings_find_section(const struct settings *s, enum section section, const char *title)
{
    size_t i;

    for (i = 0; i < s->nsections; i++) {
        if (s->sections[i].section == section && strcmp(s->sections[i].title, title) == 0)
            return &s->sections[i];
    }
    return NULL;
}

void
settings_fini(struct settings *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        setting_fini(&s->list[i]);
    for (i = 0; i < s->nsections; i++)
        free(s->sections[i].title);
    free(s->list);
    free(s->sections);
    *s = (struct settings)SETTINGS_INIT;
}

static void
append_key(struct buf *error, enum section section, const char *title, const char *name)
{
    const char *point = strchr(title, '.');
    char shown[LOG_ESCAPE_SIZE];

    if (section == SECTION_PART && point != NULL) {
        buf_append_fmt(error, "view %.*s: ", (int)(point - title), title);
        title = point + 1;
    }
    if (section_titled(section)) {
        buf_append_span(error, span_str(section_name(section)));
        if (title[0] != '\0')
            buf_append_fmt(error, " %s", log_escape(span_str(title), shown));
        if (name[0] != '\0')
            buf_append_fmt(error, ": %s", name);
        BUF_APPEND_LIT(error, ": ");
    } else if (name[0] != '\0') {
        if (section != SECTION_TOP)
            buf_append_fmt(error, "%s.", section_name(section));
        buf_append_fmt(error, "%s: ", name);
    }
}

void
settings_blame(struct buf *error, struct origin origin, enum section section,
               const char *title, const char *name, const char *fmt, ...)
{
    char *text;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    buf_clear(error);
    if (n < 0) {
        BUF_APPEND_LIT(error, "out of memory");
        return;
    }
    if (origin.flag != NULL)
        buf_append_fmt(error, "%s: ", origin.flag);
    else if (origin.path != NULL && origin.line > 0)
        buf_append_fmt(error, "%s:%u: ", origin.path, origin.line);
    else if (origin.path != NULL)
        buf_append_fmt(error, "%s: ", origin.path);
    /* "--workers: workers:" would say it twice. */
    if (origin.flag == NULL)
        append_key(error, section, title, name);
    buf_append(error, text, (size_t)n);
    free(text);
}
