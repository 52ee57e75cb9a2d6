/*
 * print.c - the configuration and its options, written out.
 *
 * Both walk the option table, so nothing can be missing from either.
 */
#include "common/log.h"
#include "server/config/config.h"
#include "server/config/fields.h"
#include "server/config/options.h"
#include "server/config/value.h"

#include <inttypes.h>
#include <string.h>

static const char *const type_names[] = {
    [OPTION_COUNT] = "number",  [OPTION_MS] = "duration",   [OPTION_BYTES] = "size",
    [OPTION_LEVEL] = "level",   [OPTION_TEXT] = "text",     [OPTION_PATH] = "path",
    [OPTION_NAME] = "name",     [OPTION_SECRET] = "text",   [OPTION_LISTEN] = "addresses",
    [OPTION_NAMES] = "names",   [OPTION_ACCESS] = "access", [OPTION_HEADERS] = "headers",
    [OPTION_SWITCH] = "switch",
};

static const char *const reload_names[] = {
    [RELOAD_GENERATION] = "reload",
    [RELOAD_RESTART] = "restart",
};

static size_t
widest_name(enum section section, enum config_source_kind kind)
{
    const struct option *o;
    size_t i, n, widest = 0;

    for (o = option_table(&n), i = 0; i < n; i++, o++) {
        if (o->section == section && option_concerns(o, kind) && strlen(o->name) > widest)
            widest = strlen(o->name);
    }
    return widest;
}

static void
print_fields(enum section section, enum config_source_kind kind, const void *base,
             const char *indent, struct buf *out)
{
    int width = (int)widest_name(section, kind);
    const struct option *o;
    size_t i, n;

    for (o = option_table(&n), i = 0; i < n; i++, o++) {
        if (o->section != section || !option_concerns(o, kind))
            continue;
        buf_append_fmt(out, "%s%-*s = ", indent, width, o->name);
        field_append(o, base, out);
        buf_append_char(out, '\n');
    }
}

static void
print_section(enum section section, enum config_source_kind kind, const char *title,
              const void *base, struct buf *out)
{
    buf_append_fmt(out, "\n%s%s%s {\n", section_name(section),
                   title[0] == '\0' ? "" : " ", title);
    print_fields(section, kind, base, "    ", out);
    BUF_APPEND_LIT(out, "}\n");
}

static void
print_view(const struct config_view *v, struct buf *out)
{
    size_t i;

    buf_append_fmt(out, "\nview %s {\n", v->name);
    for (i = 0; i < v->nparts; i++) {
        buf_append_fmt(out, "    part %s {\n", v->parts[i].name);
        print_fields(SECTION_PART, CONFIG_TABLE, &v->parts[i], "        ", out);
        BUF_APPEND_LIT(out, "    }\n");
    }
    BUF_APPEND_LIT(out, "}\n");
}

void
config_print(const struct config *c, struct buf *out)
{
    char shown[LOG_ESCAPE_SIZE];
    size_t i;

    if (c->path[0] == '\0')
        BUF_APPEND_LIT(out, "# from the command line alone\n");
    else
        buf_append_fmt(out, "# from %s\n", log_escape(span_str(c->path), shown));
    print_fields(SECTION_TOP, CONFIG_TABLE, c, "", out);
    print_section(SECTION_LIMITS, CONFIG_TABLE, "", c, out);
    print_section(SECTION_LOADER, CONFIG_TABLE, "", c, out);
    print_section(SECTION_CACHE, CONFIG_TABLE, "", c, out);
    for (i = 0; i < c->ndatabases; i++)
        print_section(SECTION_DATABASE, CONFIG_TABLE, c->databases[i].name,
                      &c->databases[i], out);
    for (i = 0; i < c->nsources; i++)
        print_section(SECTION_SOURCE, c->sources[i].kind, c->sources[i].name,
                      &c->sources[i], out);
    for (i = 0; i < c->nviews; i++)
        print_view(&c->views[i], out);
}

static void
describe_range(const struct option *o, struct buf *out)
{
    char low[VALUE_TEXT], high[VALUE_TEXT];

    switch (o->type) {
    case OPTION_COUNT:
        buf_append_fmt(out, "%" PRIu64 "..%" PRIu64, o->min, o->max);
        return;
    case OPTION_MS:
        buf_append_fmt(out, "%s..%s", value_format_ms(o->min, low),
                       value_format_ms(o->max, high));
        return;
    case OPTION_BYTES:
        buf_append_fmt(out, "%s..%s", value_format_bytes(o->min, low),
                       value_format_bytes(o->max, high));
        return;
    case OPTION_ACCESS:
        BUF_APPEND_LIT(out, "nobody|local|anyone");
        return;
    case OPTION_LEVEL:
        BUF_APPEND_LIT(out, "error|warn|info|debug");
        return;
    case OPTION_SWITCH:
        BUF_APPEND_LIT(out, "yes|no");
        return;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_NAME:
    case OPTION_SECRET:
    case OPTION_LISTEN:
    case OPTION_NAMES:
    case OPTION_HEADERS:
        break;
    }
    BUF_APPEND_LIT(out, "-");
}

void
config_describe_options(struct buf *out)
{
    const struct option *o;
    size_t i, n;

    for (o = option_table(&n), i = 0; i < n; i++, o++) {
        option_append_name(o, out);
        buf_append_fmt(out, "\t%s\t%s\t", type_names[o->type],
                       o->def[0] == '\0' ? "-" : o->def);
        describe_range(o, out);
        buf_append_fmt(out, "\t%s\t%s\n", reload_names[o->reload], o->help);
    }
}
