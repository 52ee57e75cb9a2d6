/*
 * file.c - the configuration file, read into settings.
 *
 * Every option is a string to libconfuse, whatever its type, so that conversion and
 * its error texts are ours.  Values are caught one by one in a callback, the only
 * moment at which libconfuse knows the line.
 */
#include "server/config/file.h"

#include "common/log.h"
#include "server/config/scan.h"
#include "server/config/slurp.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The short form of parts, "parts { base = "items" }": no row can name its options. */
#define PARTS "parts"

/* Rows that a section can have, counting sections at the top level and the end. */
#define ROWS_MAX 64

struct parse {
    const char *path;
    struct settings *settings;
    struct scan scan;
    unsigned secret_line; /* where the last secret was written */
    size_t part_sections; /* "part" sections that are over */
    size_t pairs;         /* of scan.pairs that are done with */
    struct buf *error;
};

/* libconfuse hands neither of its callbacks a pointer of ours, and its lexer is
 * global anyway: one file is parsed at a time. */
static struct parse *parsing;

static enum section
section_of(const cfg_t *cfg)
{
    enum section section;

    return section_find(cfg->name, &section) ? section : SECTION_TOP;
}

static const char *
title_of(const cfg_t *cfg)
{
    return cfg->title == NULL ? "" : cfg->title;
}

/* The setting that the same file already made for this option. */
static const struct setting *
find_earlier(const struct option *o, const char *title)
{
    const struct settings *s = parsing->settings;
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (s->list[i].option == o && strcmp(s->list[i].title, title) == 0)
            return &s->list[i];
    }
    return NULL;
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct origin origin = { parsing->path, (unsigned)cfg->line, NULL };
    enum section section = section_of(cfg);
    const struct option *o = option_find(section, cfg_opt_name(opt));
    const struct setting *earlier;
    bool more;

    if (o == NULL)
        return -1;
    more = option_is_list(o) && cfg_opt_size(opt) > 1;
    if (!more && (earlier = find_earlier(o, title_of(cfg))) != NULL) {
        settings_blame(parsing->error, origin, section, title_of(cfg), o->name,
                       "given twice; first on line %u", earlier->origin.line);
        return -1;
    }
    if (o->type == OPTION_SECRET)
        parsing->secret_line = origin.line;
    settings_add(parsing->settings, o, title_of(cfg), value, more, origin);
    /* libconfuse copies this; the copy is not looked at. */
    *(const char **)result = "";
    return 0;
}

static void
append_known_options(struct buf *out, enum section section)
{
    const char *separator = "";
    const struct option *o;
    size_t i, n;

    for (o = option_table(&n), i = 0; i < n; i++, o++) {
        if (o->section == section) {
            buf_append_fmt(out, "%s%s", separator, o->name);
            separator = ", ";
        }
    }
    for (i = SECTION_TOP + 1; i < SECTION_NSECTIONS; i++) {
        if (section_parent((enum section)i) != section)
            continue;
        buf_append_fmt(out, "%s%s {}", separator, section_name((enum section)i));
        separator = ", ";
    }
    if (section == SECTION_VIEW)
        buf_append_fmt(out, "%s%s {}", separator, PARTS);
}

/* What libconfuse says, and what we say: 'before', the word it names, 'after'. */
static const struct {
    const char *theirs;
    const char *before;
    const char *after;
} texts[] = {
    { "no such option", "", ": no such option, expected one of: " },
    { "unexpected token", "unexpected \"", "\"" },
    { "missing equal sign", "", ": expected \"=\" after the name" },
    { "attempt to append", "", ": expected \"=\", \"+=\" is for lists" },
    { "missing opening brace", "", ": expected an opening brace" },
    { "missing title", "", ": expected a name before the brace, such as \"main\"" },
    { "found duplicate title", "a second section of the name \"", "\"" },
    { "premature end of file", "the file ends in the middle of a setting", "" },
    { "bad escape sequence", "a string holds a backslash followed by a bad number", "" },
    { "invalid octal number", "a string holds a backslash followed by a bad number", "" },
};

static void
append_complaint(cfg_t *cfg, const char *fmt, const char *word)
{
    struct buf *error = parsing->error;
    char shown[LOG_ESCAPE_SIZE];
    size_t i;

    for (i = 0; i < ARRAY_LEN(texts); i++) {
        if (strncmp(fmt, texts[i].theirs, strlen(texts[i].theirs)) != 0)
            continue;
        buf_append_span(error, span_str(texts[i].before));
        if (texts[i].after[0] != '\0')
            buf_append_span(error, span_str(log_escape(span_str(word), shown)));
        buf_append_span(error, span_str(texts[i].after));
        if (i == 0)
            append_known_options(error, section_of(cfg));
        return;
    }
    BUF_APPEND_LIT(error, "syntax error");
}

static void on_complaint(cfg_t *cfg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
on_complaint(cfg_t *cfg, const char *fmt, va_list ap)
{
    unsigned line = cfg->line < 0 ? 0 : (unsigned)cfg->line;
    const char *word = "";

    /* Names in "parts {}" are the user's own: libconfuse complains and takes them. */
    if (buf_size(parsing->error) > 0 ||
        (strcmp(cfg->name, PARTS) == 0 && strncmp(fmt, texts[0].theirs, 14) == 0))
        return;
    if (strstr(fmt, "%s") != NULL)
        word = va_arg(ap, const char *);
    buf_append_fmt(parsing->error, "%s:%u: ", parsing->path, line);
    /* In 'password = two words' the word complained about is half a password. */
    if (line == parsing->secret_line)
        BUF_APPEND_LIT(parsing->error,
                       "syntax error beside a password, so the line is not "
                       "shown; a value with blanks needs quotes");
    else
        append_complaint(cfg, fmt, word);
}

/* --- the parts of views ------------------------------------------------------------- */

/* The line of the n-th section in the file whose head is 'name' and 'title', which may be
 * any (NULL); 0: there is none. */
static unsigned
nth_section_line(struct span name, struct span title, size_t n)
{
    const struct scan *scan = &parsing->scan;
    size_t i;

    for (i = 0; i < scan->nsections; i++) {
        if (span_equal(scan->sections[i].name, name) &&
            (title.p == NULL || span_equal(scan->sections[i].title, title)) && n-- == 0)
            return scan->sections[i].line;
    }
    return 0;
}

/* "VIEW.PART" into 'title': names hold no point.  false: refused. */
static bool
declare_part(const char *view, const char *part, struct origin origin, char *title)
{
    const struct declared *earlier;
    bool is_view = !section_title_valid(view);

    if (is_view || !section_title_valid(part)) {
        settings_blame(parsing->error, origin, is_view ? SECTION_VIEW : SECTION_PART,
                       is_view ? view : part, "", SECTION_TITLE_EXPECTED);
        return false;
    }
    snprintf(title, PART_TITLE_SIZE, "%s.%s", view, part);
    earlier = settings_find_section(parsing->settings, SECTION_PART, title);
    if (earlier != NULL) {
        settings_blame(parsing->error, origin, SECTION_PART, title, "",
                       "given twice; first on line %u", earlier->origin.line);
        return false;
    }
    settings_declare(parsing->settings, SECTION_PART, title, origin);
    return true;
}

/* "part stock { ... }" is over, and only now libconfuse says of which view it was. */
static int
on_part(cfg_t *view, cfg_opt_t *opt)
{
    const cfg_t *part = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    struct origin origin = { parsing->path, 0, NULL };
    char title[PART_TITLE_SIZE];

    origin.line =
        nth_section_line(SPAN("part"), span_of(NULL, 0), parsing->part_sections++);
    if (!declare_part(title_of(view), title_of(part), origin, title))
        return -1;
    settings_retitle(parsing->settings, SECTION_PART, title_of(part), title);
    return 0;
}

/* "parts { base = "items"  stock = "stock" }" is over. */
static int
on_parts(cfg_t *view, cfg_opt_t *opt)
{
    cfg_t *parts = cfg_opt_getnsec(opt, 0);
    const struct scan *scan = &parsing->scan;
    char name[SECTION_TITLE_MAX + 2], title[PART_TITLE_SIZE];
    size_t i;

    for (i = parsing->pairs; i < scan->npairs; i++) {
        const struct scan_pair *pair = &scan->pairs[i];
        struct origin origin = { parsing->path, pair->line, NULL };
        const char *source;

        if (pair->section != scan->pairs[parsing->pairs].section)
            break;
        snprintf(name, sizeof(name), "%.*s", SPAN_FMT(pair->name));
        if (!declare_part(title_of(view), name, origin, title))
            return -1;
        source = cfg_getstr(parts, name);
        settings_add(parsing->settings, option_find(SECTION_PART, "source"), title,
                     source == NULL ? "" : source, false, origin);
    }
    parsing->pairs = i;
    return 0;
}

/* --- the grammar -------------------------------------------------------------------- */

static void
fill_rows(cfg_opt_t *rows, enum section section, size_t *filled)
{
    const struct option *o;
    size_t i, n, at = 0;

    for (o = option_table(&n), i = 0; i < n && at < ROWS_MAX - 1; i++, o++) {
        cfg_opt_t one = CFG_STR_CB(o->name, NULL, CFGF_NODEFAULT, on_value);
        cfg_opt_t list = CFG_STR_LIST_CB(o->name, NULL, CFGF_NODEFAULT, on_value);

        if (o->section == section)
            rows[at++] = option_is_list(o) ? list : one;
    }
    *filled = at;
}

/* libconfuse copies the rows, so they may live on the stack. */
static cfg_t *
make_grammar(void)
{
    cfg_opt_t rows[SECTION_NSECTIONS][ROWS_MAX], end = CFG_END(), none[] = { CFG_END() };
    cfg_opt_t parts = CFG_SEC(PARTS, none, CFGF_KEYSTRVAL);
    const cfg_flag_t titled = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
    size_t i, filled[SECTION_NSECTIONS];
    cfg_t *cfg;

    for (i = 0; i < SECTION_NSECTIONS; i++)
        fill_rows(rows[i], (enum section)i, &filled[i]);
    for (i = SECTION_TOP + 1; i < SECTION_NSECTIONS; i++) {
        enum section parent = section_parent((enum section)i);
        cfg_opt_t section = CFG_SEC(section_name((enum section)i), rows[i],
                                    section_titled((enum section)i) ? titled : CFGF_NONE);

        section.validcb = i == SECTION_PART ? on_part : NULL;
        rows[parent][filled[parent]++] = section;
    }
    parts.validcb = on_parts;
    rows[SECTION_VIEW][filled[SECTION_VIEW]++] = parts;
    for (i = 0; i < SECTION_NSECTIONS; i++)
        rows[i][filled[i]] = end;
    if ((cfg = cfg_init(rows[SECTION_TOP], CFGF_NONE)) != NULL)
        cfg_set_error_function(cfg, on_complaint);
    return cfg;
}

/* The line on which a section begins; libconfuse remembers the one it ends on. */
static unsigned
section_line(const cfg_t *section)
{
    unsigned line =
        nth_section_line(span_str(section->name), span_str(section->title), 0);

    return line == 0 ? (unsigned)section->line : line;
}

static void
declare_sections(cfg_t *cfg, enum section section)
{
    const char *name = section_name(section);
    unsigned i;

    for (i = 0; i < cfg_size(cfg, name); i++) {
        const cfg_t *one = cfg_getnsec(cfg, name, i);
        struct origin origin = { parsing->path, section_line(one), NULL };

        settings_declare(parsing->settings, section, title_of(one), origin);
    }
}

static bool
parse_text(const char *text)
{
    cfg_t *cfg = make_grammar();
    bool ok = cfg != NULL && cfg_parse_buf(cfg, text) == CFG_SUCCESS;

    if (ok) {
        declare_sections(cfg, SECTION_DATABASE);
        declare_sections(cfg, SECTION_SOURCE);
        declare_sections(cfg, SECTION_VIEW);
    } else if (buf_size(parsing->error) == 0) {
        buf_append_fmt(parsing->error, "%s: expected a name, got a lone string or mark",
                       parsing->path);
    }
    if (cfg != NULL)
        cfg_free(cfg);
    return ok;
}

/* A password in a file that others can read is worth a line, not a refusal. */
static void
warn_if_exposed(const struct settings *s, const char *path, mode_t mode)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        const struct setting *one = &s->list[i];

        if (one->option->type == OPTION_SECRET && one->value[0] != '\0' &&
            S_ISREG(mode) && (mode & 077) != 0) {
            log_warn("config file=%s mode=%04o holds a password that other users may "
                     "read; chmod 600 it",
                     path, (unsigned)mode & 07777);
            return;
        }
    }
}

bool
config_file_read(const char *path, struct settings *s, struct buf *error)
{
    struct parse parse = { .path = path, .settings = s, .error = error };
    struct buf text = BUF_INIT;
    mode_t mode;
    bool ok;

    if (!slurp(path, &text, &mode, error)) {
        slurp_fini(&text);
        return false;
    }
    buf_clear(error);
    ok = scan_text(&parse.scan, text.data, buf_size(&text), path, error);
    if (ok && parse.scan.empty) {
        buf_append_fmt(error, "%s: the file is empty: no option and no section is set",
                       path);
        ok = false;
    }
    if (ok) {
        parsing = &parse;
        ok = parse_text(text.data);
        parsing = NULL;
    }
    if (ok)
        warn_if_exposed(s, path, mode);
    scan_fini(&parse.scan);
    slurp_fini(&text);
    return ok;
}
