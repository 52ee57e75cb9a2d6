/*
 * native.c - fetchd's own dialect, the way in: lines become commands.
 *
 *     [#tag ]fetch [option=value ...] [--] key [key ...]
 *
 * A line ends in LF or CRLF; blanks (space, tab) may lead, trail and be repeated.
 * Promise: whatever comes in, a line gives one command, one ERROR, or nothing when it
 * is empty; only a line without an end costs the connection.
 */
#include "server/protocol/native.h"

/* One day: more than anybody waits, far from overflowing. */
#define DEADLINE_MAX_MS 86400000ul

struct verb {
    const char *name;
    enum command_kind kind;
    /* Reads what follows the verb; fills 'out'. */
    void (*arguments)(struct parser *p, struct span rest, struct command *out);
    const char *help;
};

/* --- words -------------------------------------------------------------------- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next word off the front of 'rest'; false: there is none. */
static bool
next_word(struct span *rest, struct span *word)
{
    size_t i = 0, from;

    while (i < rest->n && is_blank(rest->p[i]))
        i++;
    from = i;
    while (i < rest->n && !is_blank(rest->p[i]))
        i++;
    *word = span_of(rest->p + from, i - from);
    *rest = span_of(rest->p + i, rest->n - i);
    return word->n > 0;
}

static void
command_error(struct command *out, enum command_error error, const char *text)
{
    out->kind = COMMAND_ERROR;
    out->error = error;
    out->error_text = text;
    out->keys = NULL;
    out->nkeys = 0;
}

static bool
span_has_control(struct span s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

/* --- arguments ----------------------------------------------------------------- */

/* A whole number of milliseconds from 1 to a day; 0: it is none. */
static unsigned
parse_deadline(struct span value)
{
    unsigned long ms = 0;
    size_t i;

    for (i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return 0;
        ms = ms * 10 + (unsigned long)(value.p[i] - '0');
        if (ms > DEADLINE_MAX_MS)
            return 0;
    }
    return (unsigned)ms;
}

static bool
parse_option(struct span name, struct span value, struct command *out)
{
    if (!span_equal(name, SPAN("deadline"))) {
        command_error(out, COMMAND_ERROR_OPTION,
                      "unknown option; a key that holds = needs -- before it");
        return false;
    }
    if ((out->deadline_ms = parse_deadline(value)) == 0) {
        command_error(out, COMMAND_ERROR_OPTION,
                      "deadline: expected milliseconds from 1 to 86400000");
        return false;
    }
    return true;
}

static bool
add_key(struct parser *p, struct span word, struct command *out)
{
    if (word.n > COMMAND_KEY_MAX) {
        command_error(out, COMMAND_ERROR_SYNTAX, "a key is longer than 250 bytes");
        return false;
    }
    if (span_has_control(word)) {
        command_error(out, COMMAND_ERROR_SYNTAX, "a key holds a control character");
        return false;
    }
    if (!parser_add_key(p, out->nkeys, word)) {
        command_error(out, COMMAND_ERROR_TOOMANY, "more ids than limits.ids allows");
        return false;
    }
    out->nkeys++;
    return true;
}

static void
arguments_fetch(struct parser *p, struct span rest, struct command *out)
{
    bool options = true;
    struct span word;
    const char *equals;

    while (next_word(&rest, &word)) {
        if (options && span_equal(word, SPAN("--"))) {
            options = false;
            continue;
        }
        equals = options ? memchr(word.p, '=', word.n) : NULL;
        if (equals != NULL) {
            size_t n = (size_t)(equals - word.p);

            if (!parse_option(span_of(word.p, n), span_of(equals + 1, word.n - n - 1),
                              out))
                return;
            continue;
        }
        options = false;
        if (!add_key(p, word, out))
            return;
    }
    out->keys = p->keys;
    if (out->nkeys == 0)
        command_error(out, COMMAND_ERROR_SYNTAX, "fetch needs at least one key");
}

static void
arguments_none(struct parser *p, struct span rest, struct command *out)
{
    struct span word;

    (void)p;
    if (next_word(&rest, &word))
        command_error(out, COMMAND_ERROR_SYNTAX, "this verb takes no arguments");
}

/* Words behind "version" and "quit" are ignored, as memcached does. */
static void
arguments_any(struct parser *p, struct span rest, struct command *out)
{
    (void)p;
    (void)rest;
    (void)out;
}

static void
arguments_stats(struct parser *p, struct span rest, struct command *out)
{
    struct span word;

    (void)p;
    if (!next_word(&rest, &word))
        return;
    if (span_equal(word, SPAN("workers")))
        out->kind = COMMAND_STATS_WORKERS;
    else
        command_error(out, COMMAND_ERROR_UNKNOWN, "");
}

/* clang-format off */
static const struct verb verbs[] = {
    { "fetch",   COMMAND_FETCH,   arguments_fetch, "fetch [deadline=<ms>] [--] key ...: ITEM, MISS or FAIL for each, then DONE" },
    { "ping",    COMMAND_PING,    arguments_none,  "ping: PONG" },
    { "sources", COMMAND_SOURCES, arguments_none,  "sources: where items come from; source:id asks one by name" },
    { "stats",   COMMAND_STATS,   arguments_stats, "stats [workers]: counters of all workers, or the workers one by one" },
    { "version", COMMAND_VERSION, arguments_any,   "version: the memcached version whose replies can be relied on" },
    { "help",    COMMAND_HELP,    arguments_none,  "help: these lines" },
    { "quit",    COMMAND_QUIT,    arguments_any,   "quit: closes the connection" },
};
/* clang-format on */

/* --- parsing --------------------------------------------------------------------- */

static bool
is_tag_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
take_tag(struct span word, struct command *out)
{
    size_t i;

    if (word.n < 2 || word.n > COMMAND_TAG_MAX + 1)
        return false;
    for (i = 1; i < word.n; i++) {
        if (!is_tag_char(word.p[i]))
            return false;
    }
    out->tag_len = (unsigned)word.n - 1;
    memcpy(out->tag, word.p + 1, word.n - 1);
    return true;
}

static void
parse_verb(struct parser *p, struct span word, struct span rest, struct command *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(verbs); i++) {
        if (span_equal(word, span_str(verbs[i].name))) {
            out->kind = verbs[i].kind;
            verbs[i].arguments(p, rest, out);
            return;
        }
    }
    if (word.p[0] >= 'a' && word.p[0] <= 'z')
        command_error(out, COMMAND_ERROR_UNKNOWN, "");
    else
        command_error(out, COMMAND_ERROR_SYNTAX, "expected a lower-case verb; try help");
}

/* A browser or a proxy; its next lines would be read as requests. */
static bool
is_http(struct span line)
{
    struct span mark = SPAN(" HTTP/1.");

    return line.n > mark.n + 1 &&
           memcmp(line.p + line.n - mark.n - 1, mark.p, mark.n) == 0;
}

static enum parse_verdict
parse_line(struct parser *p, struct span line, struct command *out)
{
    struct span rest = line, word;

    memset(out, 0, sizeof(*out));
    out->error_text = "";
    if (!next_word(&rest, &word))
        return PARSE_NOTHING;
    if (is_http(line))
        return PARSE_CLOSE;
    if (word.p[0] == '#') {
        if (!take_tag(word, out)) {
            command_error(out, COMMAND_ERROR_SYNTAX,
                          "expected # and 1 to 16 letters or digits as a tag");
            return PARSE_COMMAND;
        }
        if (!next_word(&rest, &word)) {
            command_error(out, COMMAND_ERROR_SYNTAX, "expected a verb after the tag");
            return PARSE_COMMAND;
        }
    }
    parse_verb(p, word, rest, out);
    return PARSE_COMMAND;
}

/* Could this byte begin a line of anybody who speaks text? */
static bool
is_text_start(char c)
{
    return (c > 0x20 && c < 0x7f) || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum parse_verdict
native_parse(struct parser *p, struct span input, size_t *scanned, size_t *consumed,
             struct command *out)
{
    const char *end;
    size_t n;

    *consumed = 0;
    if (!is_text_start(input.p[0]))
        return PARSE_CLOSE;
    end = memchr(input.p + *scanned, '\n', input.n - *scanned);
    n = end == NULL ? input.n : (size_t)(end - input.p);
    if (n > p->limits.line_max_bytes) {
        memset(out, 0, sizeof(*out));
        command_error(out, COMMAND_ERROR_TOOLONG, "the line is longer than limits.line");
        out->close = true;
        *consumed = input.n;
        *scanned = 0;
        return PARSE_COMMAND;
    }
    if (end == NULL) {
        *scanned = input.n;
        return PARSE_MORE;
    }
    *consumed = n + 1;
    *scanned = 0;
    if (n > 0 && input.p[n - 1] == '\r')
        n--;
    return parse_line(p, span_of(input.p, n), out);
}

void
native_append_help(struct buf *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(verbs); i++) {
        BUF_APPEND_LIT(out, "HELP ");
        buf_append_span(out, span_str(verbs[i].help));
        BUF_APPEND_LIT(out, "\r\n");
    }
}

const struct protocol protocol_native = {
    .name = "native",
    .parse = native_parse,
    .answer = native_answer,
};
