/*
 * scan.c - a look over the file's text before libconfuse parses it.
 *
 * The text is cut into words, strings and marks.  A brace after '=' opens a list,
 * any other a section; nothing nests deeper than a list in a section, but for the parts
 * of a view:
 *
 *     source items { columns = { "name", "label" } }
 *     word   word  { word    = { string , string } }
 *
 *     view product { part stock { source = "stock" } }
 */
#include "server/config/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_STOPS " \t\r\n#\"'={}()+,*"

struct word {
    struct span text;
    bool quoted;
};

#define DEPTH_MAX 2

/* A section that is open. */
struct opened {
    unsigned line;
    struct span word; /* "view", "part", "parts": what kind of section */
};

struct scanner {
    struct scan *out;
    char *text;
    size_t n;
    size_t at;
    unsigned line;
    struct opened opened[DEPTH_MAX];
    unsigned depth;
    unsigned list_line;  /* where the open list began; 0: none is open */
    bool assigned;       /* the last mark was '=' or '+=' */
    struct word last[2]; /* the last two words, newest first */
    const char *path;
    struct buf *error;
};

static bool refuse(struct scanner *s, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static bool
refuse(struct scanner *s, unsigned line, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_clear(s->error);
    buf_append_fmt(s->error, "%s:%u: %s", s->path, line, text);
    return false;
}

/* The byte 'ahead' of the current one; NUL past the end. */
static char
peek(const struct scanner *s, size_t ahead)
{
    return s->at + ahead < s->n ? s->text[s->at + ahead] : '\0';
}

static bool
starts(const struct scanner *s, const char *text)
{
    return strncmp(s->text + s->at, text, strlen(text)) == 0;
}

static void
blank_line_comment(struct scanner *s)
{
    for (; s->at < s->n && s->text[s->at] != '\n'; s->at++)
        s->text[s->at] = ' ';
}

static bool
blank_c_comment(struct scanner *s)
{
    unsigned began = s->line;
    char *end = strstr(s->text + s->at + 2, "*/");

    if (end == NULL)
        return refuse(s, began, "the comment that begins here is not closed");
    for (; s->text + s->at < end + 2; s->at++) {
        if (s->text[s->at] == '\n')
            s->line++;
        else
            s->text[s->at] = ' ';
    }
    return true;
}

static void
remember(struct scanner *s, struct span text, bool quoted)
{
    s->last[1] = s->last[0];
    s->last[0] = (struct word){ text, quoted };
    s->assigned = false;
    s->out->empty = false;
}

/* "\0" to "\000", "\x0" and "\x00" would end the string early, without a word. */
static bool
escapes_nul(const struct scanner *s)
{
    bool hex = peek(s, 1) == 'x';
    size_t i = hex ? 2 : 1, digits = 0, most = hex ? 2 : 3;

    for (; digits < most && peek(s, i) == '0'; i++)
        digits++;
    if (digits == 0 || digits == most)
        return digits == most;
    return strchr(hex ? "123456789abcdefABCDEF" : "123456789", peek(s, i)) == NULL ||
           peek(s, i) == '\0';
}

/* "${NAME}" and "${NAME:-default}" stand for an environment variable. */
static bool
scan_variable(struct scanner *s)
{
    char name[128];
    size_t i;

    for (i = 0; strchr("}:\"\n", peek(s, 2 + i)) == NULL && i < sizeof(name) - 1; i++)
        name[i] = peek(s, 2 + i);
    name[i] = '\0';
    s->at += 2 + i;
    if (peek(s, 0) == ':') {
        if (peek(s, 1) != '-')
            return refuse(s, s->line,
                          "expected ${NAME} or ${NAME:-default}; a plain "
                          "\"${\" is written \"\\${\"");
        while (peek(s, 0) != '}' && strchr("\"\\\n", peek(s, 0)) == NULL)
            s->at++;
    } else if (peek(s, 0) == '}' && getenv(name) == NULL) {
        return refuse(s, s->line,
                      "the environment has no variable of the name that "
                      "stands in \"${...}\" here");
    }
    if (peek(s, 0) != '}')
        return refuse(s, s->line,
                      "expected a closing brace for \"${\"; a plain \"${\" "
                      "is written \"\\${\"");
    s->at++;
    return true;
}

static bool
scan_string(struct scanner *s)
{
    char quote = peek(s, 0);
    size_t began = ++s->at;

    for (; peek(s, 0) != quote; s->at++) {
        if (s->at >= s->n || peek(s, 0) == '\n')
            return refuse(s, s->line,
                          "a string that begins on this line has no "
                          "closing quote");
        if (peek(s, 0) == '\\') {
            if (quote == '"' && escapes_nul(s))
                return refuse(s, s->line, "a string must not hold the byte 0");
            if (peek(s, 1) != '\n')
                s->at++;
        } else if (quote == '"' && starts(s, "${")) {
            if (!scan_variable(s))
                return false;
            s->at--;
        }
    }
    remember(s, span_of(s->text + began, s->at - began), true);
    s->at++;
    return true;
}

static bool
scan_word(struct scanner *s)
{
    size_t n = strcspn(s->text + s->at, WORD_STOPS);
    struct span word = span_of(s->text + s->at, n);

    if (memmem(word.p, n, "//", 2) != NULL || (n > 0 && starts(s, "${")) ||
        (word.p[n] == '*' && word.p[n - 1] == '/'))
        return refuse(s, s->line,
                      "a value with \"//\", \"/*\" or \"${\" needs double "
                      "quotes around it");
    s->at += n;
    remember(s, word, false);
    return true;
}

/* Only the parts of a view are sections in a section. */
static bool
may_nest(const struct scanner *s, struct span word)
{
    return s->depth == 1 && span_equal(s->opened[0].word, SPAN("view")) &&
           (span_equal(word, SPAN("part")) || span_equal(word, SPAN("parts")));
}

static bool
open_section(struct scanner *s)
{
    /* The first word of this section's head: its title, if it has one, is the second. */
    struct span word = s->last[1].text.n > 0 ? s->last[1].text : s->last[0].text;
    struct scan *out = s->out;
    struct scan_section *list;

    if (s->depth > 0 && !may_nest(s, word))
        return refuse(s, s->line,
                      "a section begins inside the section of line %u; is the closing "
                      "brace of that one missing?",
                      s->opened[s->depth - 1].line);
    list = realloc(out->sections, (out->nsections + 1) * sizeof(*list));
    if (list == NULL)
        return refuse(s, s->line, "out of memory");
    out->sections = list;
    list[out->nsections].line = s->line;
    list[out->nsections].name = s->last[1].text;
    list[out->nsections].title = s->last[0].text;
    out->nsections++;
    s->opened[s->depth++] = (struct opened){ s->line, word };
    memset(s->last, 0, sizeof(s->last));
    return true;
}

static bool
scan_open_brace(struct scanner *s)
{
    if (s->list_line != 0)
        return refuse(s, s->line, "a brace opens inside the list of line %u",
                      s->list_line);
    if (!s->assigned)
        return open_section(s);
    s->list_line = s->line;
    return true;
}

static bool
scan_close_brace(struct scanner *s)
{
    if (s->depth == 0 && s->list_line == 0)
        return refuse(s, s->line, "a closing brace without an opening one");
    if (s->list_line != 0)
        s->list_line = 0;
    else
        s->depth--;
    memset(s->last, 0, sizeof(s->last));
    return true;
}

/* In "parts { base = "items" }" the names are the user's own. */
static bool
note_pair(struct scanner *s)
{
    struct scan *out = s->out;
    struct scan_pair *list;

    if (s->depth != DEPTH_MAX || !span_equal(s->opened[1].word, SPAN("parts")))
        return true;
    list = realloc(out->pairs, (out->npairs + 1) * sizeof(*list));
    if (list == NULL)
        return refuse(s, s->line, "out of memory");
    out->pairs = list;
    list[out->npairs++] =
        (struct scan_pair){ out->nsections - 1, s->line, s->last[0].text };
    return true;
}

/* libconfuse would take "limits|line" and quoted names for options, too. */
static bool
scan_assign(struct scanner *s, size_t width)
{
    const struct word *name = &s->last[0];

    if (name->text.n == 0 || name->quoted ||
        memchr(name->text.p, '|', name->text.n) != NULL)
        return refuse(s, s->line, "expected the name of an option before \"=\"");
    s->at += width;
    s->assigned = true;
    return note_pair(s);
}

static bool
scan_mark(struct scanner *s)
{
    unsigned char c = (unsigned char)peek(s, 0);

    s->out->empty = false;
    if (c == '=')
        return scan_assign(s, 1);
    if (c == '+' && peek(s, 1) == '=')
        return scan_assign(s, 2);
    if (strchr("{},", c) == NULL) {
        if (c > 0x20 && c < 0x7f)
            return refuse(s, s->line, "unexpected character \"%c\"", c);
        return refuse(s, s->line, "unexpected byte 0x%02x", c);
    }
    s->at++;
    if (c == '{')
        return scan_open_brace(s);
    s->assigned = false;
    return c == '}' ? scan_close_brace(s) : true;
}

static bool
scan_next(struct scanner *s)
{
    unsigned char c = (unsigned char)peek(s, 0);

    if (c == '\n')
        s->line++;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        s->at++;
        return true;
    }
    if (c == '#' || starts(s, "//")) {
        blank_line_comment(s);
        return true;
    }
    if (starts(s, "/*"))
        return blank_c_comment(s);
    if (c == '"' || c == '\'')
        return scan_string(s);
    if (c < 0x20 || c == 0x7f || strchr(WORD_STOPS, c) != NULL)
        return scan_mark(s);
    return scan_word(s);
}

bool
scan_text(struct scan *out, char *text, size_t n, const char *path, struct buf *error)
{
    struct scanner s;

    memset(out, 0, sizeof(*out));
    out->empty = true;
    memset(&s, 0, sizeof(s));
    s.out = out;
    s.text = text;
    s.n = n;
    s.line = 1;
    s.path = path;
    s.error = error;
    if (memchr(text, '\0', n) != NULL)
        return refuse(&s, 1, "the file holds a byte 0; this is no text file");
    while (s.at < n) {
        if (!scan_next(&s))
            return false;
    }
    if (s.list_line != 0)
        return refuse(&s, s.list_line, "the list that begins here is not closed");
    if (s.depth > 0)
        return refuse(&s, s.opened[s.depth - 1].line,
                      "the section that begins here is not closed");
    return true;
}

void
scan_fini(struct scan *s)
{
    free(s->sections);
    free(s->pairs);
    memset(s, 0, sizeof(*s));
}
