/*
 * fields.c - the struct's members, reached through the option table.
 *
 * A text is converted completely before the member is touched, so a refused value
 * leaves the struct as it was.
 */
#include "server/config/fields.h"

#include "common/log.h"
#include "common/net.h"
#include "server/config/config.h"
#include "server/config/http_url.h"
#include "server/config/value.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* MariaDB's bound on identifiers, in characters. */
#define NAME_MAX_CHARS 64

static void *
member(const struct option *o, void *base)
{
    return (char *)base + o->offset;
}

static const void *
member_const(const struct option *o, const void *base)
{
    return (const char *)base + o->offset;
}

static void
got(struct buf *why, const char *value)
{
    char shown[LOG_ESCAPE_SIZE];

    buf_append_fmt(why, ", got \"%s\"", log_escape(span_str(value), shown));
}

static bool
refuse(const struct option *o, const char *value, struct buf *why)
{
    BUF_APPEND_LIT(why, "expected ");
    option_append_expected(o, why);
    if (o->type != OPTION_SECRET)
        got(why, value);
    return false;
}

static bool
no_memory(struct buf *why)
{
    BUF_APPEND_LIT(why, "out of memory");
    return false;
}

static void
secret_free(char **text)
{
    if (*text != NULL)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static bool
set_text(const struct option *o, void *base, const char *value, struct buf *why)
{
    char **to = member(o, base), *copy = strdup(value);

    if (copy == NULL)
        return no_memory(why);
    secret_free(to);
    *to = copy;
    return true;
}

/* Absolute, because a daemon's working directory is "/" and a reload or an upgrade
 * reads the path again. */
static bool
set_path(const struct option *o, void *base, const char *value, struct buf *why)
{
    char cwd[PATH_MAX], full[2 * PATH_MAX];
    int n;

    if (value[0] == '\0' || value[0] == '/') {
        if (strlen(value) >= PATH_MAX)
            return refuse(o, value, why);
        return set_text(o, base, value, why);
    }
    if (getcwd(cwd, sizeof(cwd)) == NULL) {
        buf_append_fmt(why, "the working directory is not known: %s", strerror(errno));
        return false;
    }
    n = snprintf(full, sizeof(full), "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, value);
    if (n < 0 || n >= PATH_MAX)
        return refuse(o, value, why);
    return set_text(o, base, full, why);
}

/* Length in characters, or SIZE_MAX when 'text' is no UTF-8. */
static size_t
utf8_length(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t chars = 0;

    for (; *p != '\0'; chars++) {
        unsigned c = *p++, more, least;

        if (c < 0x80)
            continue;
        if (c >= 0xc2 && c <= 0xdf)
            more = 1, least = 0x80, c &= 0x1f;
        else if (c >= 0xe0 && c <= 0xef)
            more = 2, least = 0x800, c &= 0x0f;
        else if (c >= 0xf0 && c <= 0xf4)
            more = 3, least = 0x10000, c &= 0x07;
        else
            return SIZE_MAX;
        for (; more > 0; more--, p++) {
            if ((*p & 0xc0) != 0x80)
                return SIZE_MAX;
            c = c << 6 | (*p & 0x3f);
        }
        if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return SIZE_MAX;
    }
    return chars;
}

static bool
name_valid(const char *name)
{
    size_t chars = utf8_length(name);

    return chars >= 1 && chars <= NAME_MAX_CHARS;
}

static bool
set_number(const struct option *o, void *base, const char *value, struct buf *why)
{
    uint64_t number;
    bool ok;

    if (o->type == OPTION_COUNT)
        ok = value_parse_count(value, &number);
    else if (o->type == OPTION_MS)
        ok = value_parse_ms(value, &number);
    else
        ok = value_parse_bytes(value, &number);
    if (!ok || number < o->min || number > o->max)
        return refuse(o, value, why);
    if (o->type == OPTION_BYTES)
        *(size_t *)member(o, base) = (size_t)number;
    else
        *(unsigned *)member(o, base) = (unsigned)number;
    return true;
}

static void
listens_free(struct config *c)
{
    size_t i;

    for (i = 0; i < c->nlistens; i++)
        free(c->listens[i].text);
    free(c->listens);
    c->listens = NULL;
    c->nlistens = 0;
}

static bool
add_listen(struct config *c, const char *value, bool more, struct buf *why)
{
    struct config_listen one, *list;
    const char *expected;

    if (!net_addr_parse(value, &one.addr, &expected)) {
        buf_append_fmt(why, "expected %s", expected);
        got(why, value);
        return false;
    }
    if (!more)
        listens_free(c);
    if ((list = realloc(c->listens, (c->nlistens + 1) * sizeof(*list))) == NULL)
        return no_memory(why);
    c->listens = list;
    if ((one.text = strdup(value)) == NULL)
        return no_memory(why);
    list[c->nlistens++] = one;
    return true;
}

static void
columns_free(struct config_source *s)
{
    size_t i;

    for (i = 0; i < s->ncolumns; i++)
        free(s->columns[i]);
    free(s->columns);
    s->columns = NULL;
    s->ncolumns = 0;
}

static bool
add_column(const struct option *o, struct config_source *s, const char *value, bool more,
           struct buf *why)
{
    char **list;

    if (!name_valid(value))
        return refuse(o, value, why);
    if (!more)
        columns_free(s);
    if ((list = realloc(s->columns, (s->ncolumns + 1) * sizeof(*list))) == NULL)
        return no_memory(why);
    s->columns = list;
    if ((list[s->ncolumns] = strdup(value)) == NULL)
        return no_memory(why);
    s->ncolumns++;
    return true;
}

static const char *const access_names[] = {
    [ACCESS_NOBODY] = "nobody",
    [ACCESS_LOCAL] = "local",
    [ACCESS_ANYONE] = "anyone",
};

static const char *const switch_names[] = {
    [SWITCH_UNSET] = "",
    [SWITCH_NO] = "no",
    [SWITCH_YES] = "yes",
};

/* One of an enum's 'n' names. */
static bool
set_word(const struct option *o, void *base, const char *value, const char *const *names,
         size_t n, struct buf *why)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (strcmp(value, names[i]) == 0) {
            *(unsigned *)member(o, base) = i;
            return true;
        }
    }
    return refuse(o, value, why);
}

static void
texts_free(struct config_texts *t)
{
    while (t->n > 0)
        secret_free(&t->v[--t->n]);
    free(t->v);
    t->v = NULL;
}

static bool
add_header(const struct option *o, struct config_texts *t, const char *value, bool more,
           struct buf *why)
{
    char **list;

    /* Not shown when refused: half of it may be a secret. */
    if (!header_valid(value)) {
        BUF_APPEND_LIT(why, "expected ");
        option_append_expected(o, why);
        return false;
    }
    if (!more)
        texts_free(t);
    if ((list = realloc(t->v, (t->n + 1) * sizeof(*list))) == NULL)
        return no_memory(why);
    t->v = list;
    if ((list[t->n] = strdup(value)) == NULL)
        return no_memory(why);
    t->n++;
    return true;
}

bool
field_set(const struct option *o, void *base, const char *value, bool more,
          struct buf *why)
{
    switch (o->type) {
    case OPTION_COUNT:
    case OPTION_MS:
    case OPTION_BYTES:
        return set_number(o, base, value, why);
    case OPTION_LEVEL:
        if (!log_level_parse(span_str(value), (enum log_level *)member(o, base)))
            return refuse(o, value, why);
        return true;
    case OPTION_ACCESS:
        return set_word(o, base, value, access_names, ARRAY_LEN(access_names), why);
    case OPTION_NAME:
        if (value[0] != '\0' && !name_valid(value))
            return refuse(o, value, why);
        return set_text(o, base, value, why);
    case OPTION_TEXT:
    case OPTION_SECRET:
        return set_text(o, base, value, why);
    case OPTION_PATH:
        return set_path(o, base, value, why);
    case OPTION_LISTEN:
        return add_listen(base, value, more, why);
    case OPTION_NAMES:
        return add_column(o, base, value, more, why);
    case OPTION_HEADERS:
        return add_header(o, member(o, base), value, more, why);
    case OPTION_SWITCH:
        return set_word(o, base, value, switch_names, ARRAY_LEN(switch_names), why);
    }
    assert(!"a type without a case");
    return false;
}

bool
fields_default(enum section section, void *base)
{
    struct buf why = BUF_INIT;
    const struct option *o;
    bool ok = true;
    size_t i, n;

    for (o = option_table(&n), i = 0; i < n && ok; i++, o++) {
        if (o->section == section && !(option_is_list(o) && o->def[0] == '\0'))
            ok = field_set(o, base, o->def, false, &why);
    }
    buf_fini(&why);
    return ok;
}

void
fields_free(enum section section, void *base)
{
    const struct option *o;
    size_t i, n;

    for (o = option_table(&n), i = 0; i < n; i++, o++) {
        if (o->section != section)
            continue;
        switch (o->type) {
        case OPTION_TEXT:
        case OPTION_PATH:
        case OPTION_NAME:
        case OPTION_SECRET:
            secret_free(member(o, base));
            break;
        case OPTION_LISTEN:
            listens_free(base);
            break;
        case OPTION_NAMES:
            columns_free(base);
            break;
        case OPTION_HEADERS:
            texts_free(member(o, base));
            break;
        case OPTION_COUNT:
        case OPTION_MS:
        case OPTION_BYTES:
        case OPTION_LEVEL:
        case OPTION_ACCESS:
        case OPTION_SWITCH:
            break;
        }
    }
}

/* A text in double quotes, as the file's grammar reads it back. */
static void
append_quoted(struct buf *out, const char *text)
{
    const unsigned char *p;

    buf_append_char(out, '"');
    for (p = (const unsigned char *)(text == NULL ? "" : text); *p != '\0'; p++) {
        if (*p == '"' || *p == '\\' || *p == '$')
            buf_append_fmt(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            buf_append_fmt(out, "\\x%02x", *p);
        else
            buf_append_char(out, (char)*p);
    }
    buf_append_char(out, '"');
}

static const char *
list_at(const struct option *o, const void *base, size_t i)
{
    const struct config *c = base;
    const struct config_source *s = base;

    if (o->type == OPTION_LISTEN)
        return i < c->nlistens ? c->listens[i].text : NULL;
    return i < s->ncolumns ? s->columns[i] : NULL;
}

static void
append_list(const struct option *o, const void *base, struct buf *out)
{
    const char *text;
    size_t i;

    BUF_APPEND_LIT(out, "{");
    for (i = 0; (text = list_at(o, base, i)) != NULL; i++) {
        buf_append_span(out, i == 0 ? SPAN(" ") : SPAN(", "));
        append_quoted(out, text);
    }
    buf_append_span(out, i == 0 ? SPAN("}") : SPAN(" }"));
}

/* Names alone: what stands behind them may be a credential. */
static void
append_headers(struct buf *out, const struct config_texts *t)
{
    size_t i;

    BUF_APPEND_LIT(out, "{");
    for (i = 0; i < t->n; i++)
        buf_append_fmt(out, "%s\"%.*s: ***\"", i == 0 ? " " : ", ",
                       (int)strcspn(t->v[i], ":"), t->v[i]);
    buf_append_span(out, i == 0 ? SPAN("}") : SPAN(" }"));
}

static const char *
level_name(enum log_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    enum log_level found;
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++) {
        if (log_level_parse(span_str(names[i]), &found) && found == level)
            return names[i];
    }
    return "info";
}

void
field_append(const struct option *o, const void *base, struct buf *out)
{
    const void *at = member_const(o, base);
    const char *text;
    char number[VALUE_TEXT];

    switch (o->type) {
    case OPTION_COUNT:
        buf_append_u64(out, *(const unsigned *)at);
        break;
    case OPTION_MS:
        append_quoted(out, value_format_ms(*(const unsigned *)at, number));
        break;
    case OPTION_BYTES:
        append_quoted(out, value_format_bytes(*(const size_t *)at, number));
        break;
    case OPTION_ACCESS:
        append_quoted(out, access_names[*(const enum config_access *)at]);
        return;
    case OPTION_LEVEL:
        append_quoted(out, level_name(*(const enum log_level *)at));
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_NAME:
        append_quoted(out, *(char *const *)at);
        break;
    case OPTION_SECRET:
        text = *(char *const *)at;
        append_quoted(out, text == NULL || text[0] == '\0' ? "" : "***");
        break;
    case OPTION_LISTEN:
    case OPTION_NAMES:
        append_list(o, base, out);
        break;
    case OPTION_HEADERS:
        append_headers(out, at);
        break;
    case OPTION_SWITCH:
        append_quoted(out, switch_names[*(const enum config_switch *)at]);
        break;
    }
}
