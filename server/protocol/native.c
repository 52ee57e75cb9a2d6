/*
 * native.c - fetchd's own dialect, the way in: verbs and options.
 *
 *     [#tag ]fetch [option=value ...] [--] key [key ...]
 */
#include "server/protocol/native.h"

#include "server/protocol/text.h"

/* One day: more than anybody waits, far from overflowing. */
#define MS_MAX 86400000ul

/* Fields of an item, and of all items of an answer together: each is looked for. */
#define FIELDS_MAX 256
#define FIELDS_ALL_MAX 1000000

/* --- options ------------------------------------------------------------------- */

/* A whole number of milliseconds of at most a day; false: it is none. */
static bool
parse_ms(struct span value, unsigned *out)
{
    unsigned long ms = 0;
    size_t i;

    for (i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        ms = ms * 10 + (unsigned long)(value.p[i] - '0');
        if (ms > MS_MAX)
            return false;
    }
    *out = (unsigned)ms;
    return value.n > 0;
}

static const char *
option_deadline(struct parser *p, struct span value, struct command *out)
{
    (void)p;
    if (parse_ms(value, &out->deadline_ms) && out->deadline_ms > 0)
        return NULL;
    return "deadline: expected milliseconds from 1 to 86400000";
}

/* 0 is a bound of its own: not even a statement that was sent before will do. */
static const char *
option_maxage(struct parser *p, struct span value, struct command *out)
{
    (void)p;
    if (!parse_ms(value, &out->maxage_ms))
        return "maxage: expected milliseconds from 0 to 86400000";
    out->fresh = out->maxage_ms == 0;
    return NULL;
}

static bool
is_repeated(const struct words *words, struct span word)
{
    size_t i;

    for (i = 0; i < words->n; i++) {
        if (span_equal(words->at[i], word))
            return true;
    }
    return false;
}

static const char *
option_fields(struct parser *p, struct span value, struct command *out)
{
    const char *comma;
    size_t n;

    out->fields_must_exist = true;
    for (;;) {
        comma = memchr(value.p, ',', value.n);
        n = comma == NULL ? value.n : (size_t)(comma - value.p);
        if (n == 0 || n > COMMAND_KEY_MAX)
            return "fields: expected names with commas between them";
        if (is_repeated(&p->fields, span_of(value.p, n)))
            return "fields: a name stands there twice";
        if (!words_add(&p->fields, FIELDS_MAX, span_of(value.p, n)))
            return "fields: expected at most 256 names";
        if (comma == NULL)
            return NULL;
        value = span_of(comma + 1, value.n - n - 1);
    }
}

static const char *
option_order(struct parser *p, struct span value, struct command *out)
{
    (void)p;
    out->as_done = span_equal(value, SPAN("done"));
    return out->as_done || span_equal(value, SPAN("request"))
               ? NULL
               : "order: expected request or done";
}

static const char *
option_as(struct parser *p, struct span value, struct command *out)
{
    static const char *const names[] = {
        [LAYOUT_LINES] = "lines",
        [LAYOUT_ARRAY] = "array",
        [LAYOUT_MAP] = "map",
        [LAYOUT_COLUMNS] = "columns",
    };
    size_t i;

    (void)p;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        if (span_equal(value, span_str(names[i]))) {
            out->layout = (enum command_layout)i;
            return NULL;
        }
    }
    return "as: expected lines, array, map or columns";
}

static const char *
option_trace(struct parser *p, struct span value, struct command *out)
{
    (void)p;
    out->trace = span_equal(value, SPAN("1"));
    return out->trace || span_equal(value, SPAN("0")) ? NULL : "trace: expected 0 or 1";
}

static const struct {
    const char *name;
    /* NULL, or what was expected. */
    const char *(*take)(struct parser *p, struct span value, struct command *out);
} options[] = {
    { "deadline", option_deadline },
    { "fields", option_fields },
    { "maxage", option_maxage },
    { "order", option_order },
    { "as", option_as },
    { "trace", option_trace },
};

static bool
take_option(struct parser *p, struct span name, struct span value, struct command *out)
{
    const char *expected = "unknown option; a key that holds = needs -- before it";
    size_t i;

    for (i = 0; i < ARRAY_LEN(options); i++) {
        if (span_equal(name, span_str(options[i].name))) {
            expected = options[i].take(p, value, out);
            break;
        }
    }
    if (expected == NULL)
        return true;
    command_refuse(out, COMMAND_ERROR_OPTION, expected);
    return false;
}

/* --- arguments ----------------------------------------------------------------- */

/* The rest of the line is keys. */
static void
add_keys(struct parser *p, struct span rest, struct command *out)
{
    struct text_words words = text_words_of(rest);
    struct span word;

    while (text_words_next(&words, &word)) {
        if (word.n > COMMAND_KEY_MAX) {
            command_refuse(out, COMMAND_ERROR_SYNTAX, "a key is longer than 250 bytes");
            return;
        }
        if (words.odd != 0) {
            command_refuse(out, COMMAND_ERROR_SYNTAX, "a key holds a control character");
            return;
        }
        if (!words_add(&p->keys, p->limits.ids_max, word)) {
            command_refuse(out, COMMAND_ERROR_TOOMANY, "more ids than limits.ids allows");
            return;
        }
    }
    if (p->keys.n == 0)
        command_refuse(out, COMMAND_ERROR_SYNTAX, "expected at least one key");
}

/* Takes the options off the front of 'rest'; false: one of them is wrong. */
static bool
take_options(struct parser *p, struct span *rest, struct command *out)
{
    struct span after = *rest, word;
    const char *equals;
    size_t n;

    while (text_next_word(&after, &word)) {
        if (span_equal(word, SPAN("--"))) {
            *rest = after;
            return true;
        }
        if ((equals = memchr(word.p, '=', word.n)) == NULL)
            return true;
        n = (size_t)(equals - word.p);
        if (!take_option(p, span_of(word.p, n), span_of(equals + 1, word.n - n - 1), out))
            return false;
        *rest = after;
    }
    return true;
}

static void
arguments_fetch(struct parser *p, struct session *s, struct span rest,
                struct command *out)
{
    (void)s;
    if (!take_options(p, &rest, out))
        return;
    add_keys(p, rest, out);
    if (out->kind == COMMAND_ERROR)
        return;
    if (p->keys.n * p->fields.n > FIELDS_ALL_MAX)
        command_refuse(out, COMMAND_ERROR_TOOMANY, "ids times fields is over 1000000");
    else if (out->as_done && out->layout != LAYOUT_LINES)
        command_refuse(out, COMMAND_ERROR_OPTION, "order=done goes with as=lines only");
}

static void
arguments_invalidate(struct parser *p, struct session *s, struct span rest,
                     struct command *out)
{
    (void)s;
    add_keys(p, rest, out);
}

static void
arguments_none(struct parser *p, struct session *s, struct span rest, struct command *out)
{
    struct span word;

    (void)p;
    (void)s;
    if (text_next_word(&rest, &word))
        command_refuse(out, COMMAND_ERROR_SYNTAX, "this verb takes no arguments");
}

/* Words behind "version" and "quit" are ignored, as memcached does. */
static void
arguments_any(struct parser *p, struct session *s, struct span rest, struct command *out)
{
    (void)p;
    (void)s;
    (void)rest;
    (void)out;
}

/* clang-format off */
static const struct verb verbs[] = {
    { "fetch",      COMMAND_FETCH,      0, arguments_fetch,      native_answer, "fetch [option=value ...] [--] key ...: ITEM, STALE, MISS or FAIL for each, then DONE" },
    { "invalidate", COMMAND_INVALIDATE, 0, arguments_invalidate, native_answer, "invalidate key ...: INVALIDATED and how many were cached; nobody is shown them any more" },
    { "ping",       COMMAND_PING,       0, arguments_none,       native_answer, "ping: PONG" },
    { "sources",    COMMAND_SOURCES,    0, arguments_none,       native_answer, "sources: where items come from; source:id asks one by name" },
    { "stats",      COMMAND_STATS,      0, memcached_arguments_stats, native_answer, "stats [workers]: counters of all workers, or the workers one by one" },
    { "version",    COMMAND_VERSION,    0, arguments_any,        native_answer, "version: the memcached version whose replies can be relied on" },
    { "help",       COMMAND_HELP,       0, arguments_none,       native_answer, "help: these lines" },
    { "quit",       COMMAND_QUIT,       0, arguments_any,        native_answer, "quit: closes the connection" },
};

static const char *const option_help[] = {
    "fetch deadline=<ms>: answered by then; what is not there becomes FAIL timeout",
    "fetch fields=a,b: only these, in this order; attrs.color reaches into a JSON column",
    "fetch maxage=<ms>: nothing older, STALE included; 0 asks the source",
    "fetch order=request|done: done sends each line as soon as it is known",
    "fetch as=lines|array|map|columns: one DATA line instead of a line for each",
    "fetch trace=1: TRACE lines say where each item came from and how long it took",
};
/* clang-format on */

const struct verb_table native_verbs = { verbs, ARRAY_LEN(verbs) };

static void
append_help_line(struct buf *out, const char *text)
{
    BUF_APPEND_LIT(out, "HELP ");
    buf_append_span(out, span_str(text));
    BUF_APPEND_LIT(out, "\r\n");
}

void
native_append_help(struct buf *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(verbs); i++)
        append_help_line(out, verbs[i].help);
    for (i = 0; i < ARRAY_LEN(option_help); i++)
        append_help_line(out, option_help[i]);
}
