/*
 * resp.c - RESP, the way in: bytes become the words of one request.
 *
 *     *2 CRLF $3 CRLF GET CRLF $1 CRLF 7 CRLF        an array of bulk strings
 *     GET 7 LF                                       the same, inline
 *
 * Promise: the words do not depend on how the bytes were split, and the work is linear
 * in them: what is known of an array that is not whole stays in the session, and only
 * the words are gathered anew when the rest has come.  Framing errors are told in
 * Redis' own texts (networking.c of Redis 7.0) and cost the connection, as there.
 */
#include "server/protocol/resp.h"

#include <ctype.h>
#include <limits.h>

/* The longest inline request, and the longest line before a bulk, as in Redis. */
#define RESP_LINE_MAX ((size_t)64 << 10)

/* A command's name and what else is no id. */
#define WORDS_MORE 8

/* How far a request has got. */
enum progress {
    PROGRESS_MORE,
    PROGRESS_DONE,
    PROGRESS_BAD,
};

/* What an array comes to. */
struct frame {
    size_t argc;      /* 0: it asks for nothing */
    const char *text; /* PROGRESS_BAD: the reply */
    struct span odd;  /* ... and the byte that stands where a '$' was due */
};

/* Words past the limit are not kept; that there were more, argc tells. */
static void
keep_word(struct parser *p, struct span word)
{
    bool kept = words_add(&p->keys, (size_t)p->limits.ids_max + WORDS_MORE, word);

    (void)kept;
}

/* --- arrays ------------------------------------------------------------------------- */

bool
resp_integer(struct span s, long long *value)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    unsigned long long sum = 0, max = (unsigned long long)LLONG_MAX + negative;

    if (i == s.n || (s.p[i] == '0' && s.n != 1))
        return false;
    for (; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');

        if (s.p[i] < '0' || s.p[i] > '9' || sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = (long long)(negative ? 0 - sum : sum);
    return true;
}

static enum progress
frame_bad(struct frame *f, const char *text)
{
    f->text = text;
    return PROGRESS_BAD;
}

/* The line at frame_at, up to its CR; the byte behind that is taken for a LF unseen, as
 * Redis does. */
static enum progress
take_line(const struct session *s, struct span input, struct span *line)
{
    const char *at = input.p + s->frame_at, *from = at, *cr;
    size_t n = input.n - s->frame_at;

    /* Where a CR was looked for in vain there is none, but the last byte may be one. */
    if (s->scanned > s->frame_at + 1)
        from = input.p + s->scanned - 1;
    if (n > RESP_LINE_MAX + 1)
        n = RESP_LINE_MAX + 1;
    cr = from < at + n ? memchr(from, '\r', (size_t)(at + n - from)) : NULL;
    if (cr == NULL)
        return n > RESP_LINE_MAX ? PROGRESS_BAD : PROGRESS_MORE;
    *line = span_of(at, (size_t)(cr - at));
    return cr + 1 < input.p + input.n ? PROGRESS_DONE : PROGRESS_MORE;
}

static enum progress
take_count(struct session *s, struct span input, struct frame *f)
{
    struct span line;
    long long count;
    enum progress progress = take_line(s, input, &line);

    if (progress == PROGRESS_BAD)
        return frame_bad(f, "ERR Protocol error: too big mbulk count string");
    if (progress == PROGRESS_MORE)
        return progress;
    if (!resp_integer(span_of(line.p + 1, line.n - 1), &count) || count > INT_MAX)
        return frame_bad(f, "ERR Protocol error: invalid multibulk length");
    f->argc = count > 0 ? (size_t)count : 0;
    s->frame_left = f->argc;
    s->frame_at = line.n + 2;
    return PROGRESS_DONE;
}

static enum progress
take_bulk_length(const struct parser *p, struct session *s, struct span input,
                 struct frame *f)
{
    size_t max = p->limits.line_max_bytes;
    struct span line;
    long long length;
    enum progress progress = take_line(s, input, &line);

    if (progress == PROGRESS_BAD)
        return frame_bad(f, "ERR Protocol error: too big bulk count string");
    if (progress == PROGRESS_MORE)
        return progress;
    if (line.p[0] != '$') {
        f->odd = span_of(line.p, 1);
        return frame_bad(f, "ERR Protocol error: expected '$'");
    }
    if (!resp_integer(span_of(line.p + 1, line.n - 1), &length) || length < 0 ||
        (unsigned long long)length > max)
        return frame_bad(f, "ERR Protocol error: invalid bulk length");
    s->frame_at += line.n + 2;
    s->frame_bulk = (size_t)length + 1;
    if (s->frame_at + (size_t)length + 2 > max)
        return frame_bad(f, "ERR Protocol error: the request is longer than limits.line");
    return PROGRESS_DONE;
}

/* The usual length, of one digit or two, in few steps; as for the rest, false: by the long
 * way. */
static inline bool
take_short_length(const struct parser *p, struct session *s, struct span input)
{
    const char *at = input.p + s->frame_at;
    unsigned length, digit;
    size_t used = 4;

    if (input.n - s->frame_at < 5 || at[0] != '$' ||
        (length = (unsigned)(at[1] - '0')) > 9)
        return false;
    if (at[2] != '\r') {
        digit = (unsigned)(at[2] - '0');
        if (length == 0 || digit > 9 || at[3] != '\r')
            return false;
        length = length * 10 + digit;
        used = 5;
    }
    if (s->frame_at + used + length + 2 > p->limits.line_max_bytes)
        return false;
    s->frame_at += used;
    s->frame_bulk = length + 1;
    return true;
}

/* Goes on with the array where the session says; gathers the words it passes. */
static enum progress
take_array(struct parser *p, struct session *s, struct span input, struct frame *f)
{
    enum progress progress;

    if (s->frame_at == 0 && (progress = take_count(s, input, f)) != PROGRESS_DONE)
        return progress;
    while (s->frame_left > 0) {
        if (s->frame_bulk == 0 && !take_short_length(p, s, input) &&
            (progress = take_bulk_length(p, s, input, f)) != PROGRESS_DONE)
            return progress;
        if (input.n - s->frame_at < s->frame_bulk + 1)
            return PROGRESS_MORE;
        keep_word(p, span_of(input.p + s->frame_at, s->frame_bulk - 1));
        s->frame_at += s->frame_bulk + 1;
        s->frame_bulk = 0;
        s->frame_left--;
    }
    return PROGRESS_DONE;
}

static void
forget_frame(struct session *s)
{
    s->scanned = s->frame_at = s->frame_left = s->frame_bulk = 0;
}

/* --- inline ----------------------------------------------------------------------- */

static bool
is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a backslash in double quotes; '*p' < 'end'. */
static char
unescape(const char **p, const char *end)
{
    static const char from[] = "nrtba", to[] = "\n\r\t\b\a";
    const char *at;
    char c = *(*p)++;

    if (c == 'x' && end - *p >= 2 && hex_value((*p)[0]) >= 0 && hex_value((*p)[1]) >= 0) {
        c = (char)(hex_value((*p)[0]) << 4 | hex_value((*p)[1]));
        *p += 2;
        return c;
    }
    at = memchr(from, c, sizeof(from) - 1);
    return at == NULL ? c : to[at - from];
}

/* The rest of a quoted word, '*p' behind the quote.  false: the quote is never closed,
 * or the word goes on behind it. */
static bool
take_quoted(const char **p, const char *end, char quote, struct buf *out)
{
    while (*p < end && **p != quote) {
        char c = *(*p)++;

        if (c == '\\' && *p < end && (quote == '"' || **p == quote))
            c = quote == '"' ? unescape(p, end) : *(*p)++;
        buf_append_char(out, c);
    }
    if (*p == end)
        return false;
    (*p)++;
    return *p == end || is_space(**p);
}

/* One word, '*p' at its first byte; quotes may begin in the middle of it. */
static bool
take_word(const char **p, const char *end, struct buf *out)
{
    while (*p < end && !is_space(**p)) {
        char c = *(*p)++;

        if (c == '"' || c == '\'')
            return take_quoted(p, end, c, out);
        buf_append_char(out, c);
    }
    return true;
}

/* Splits a line as Redis' sdssplitargs does, NUL being the end.  false: quotes. */
static bool
split_line(struct parser *p, struct span line, size_t *argc)
{
    const char *nul = line.n == 0 ? NULL : memchr(line.p, '\0', line.n);
    const char *at = line.p, *end = nul == NULL ? line.p + line.n : nul;
    size_t from;

    *argc = 0;
    if (buf_reserve(&p->text, line.n) == NULL) /* the words must not move any more */
        return true;
    for (;;) {
        while (at < end && is_space(*at))
            at++;
        if (at == end)
            return true;
        from = p->text.len;
        if (!take_word(&at, end, &p->text))
            return false;
        ++*argc;
        keep_word(p, span_of(p->text.data + from, p->text.len - from));
    }
}

/* --- requests ------------------------------------------------------------------------ */

/* Framing is lost: say so and hang up. */
static enum parse_verdict
refuse_input(struct session *s, struct span input, const char *text, size_t *consumed,
             struct command *out)
{
    resp_refuse(out, COMMAND_ERROR_SYNTAX, text);
    out->close = true;
    *consumed = input.n;
    forget_frame(s);
    return PARSE_COMMAND;
}

/* A browser's first words; Redis hangs up on them too (a page that a browser was lured
 * to may send them to a port on its user's machine). */
static bool
is_http_word(struct span word)
{
    return resp_is(word, "post") || resp_is(word, "host:");
}

static enum parse_verdict
make_command(struct parser *p, size_t argc, struct command *out)
{
    struct resp_request q = { p->keys.at, p->keys.n, argc, p->limits.ids_max };

    if (q.n == 0) { /* no memory for a single word */
        resp_refuse(out, COMMAND_ERROR_TOOLONG, "ERR out of memory");
        return PARSE_COMMAND;
    }
    if (is_http_word(q.words[0]))
        return PARSE_CLOSE;
    resp_command(&q, out);
    return PARSE_COMMAND;
}

static enum parse_verdict
parse_array(struct parser *p, struct session *s, struct span input, size_t *consumed,
            struct command *out)
{
    bool resumed = s->frame_at > 0;
    struct frame f = { 0, NULL, { NULL, 0 } };
    enum progress progress = take_array(p, s, input, &f);

    if (progress == PROGRESS_BAD) {
        (void)refuse_input(s, input, f.text, consumed, out);
        if (f.odd.n > 0 && words_add(&p->args, 0, f.odd)) {
            out->answer = resp_answer_no_dollar;
            out->args = p->args.at;
            out->nargs = 1;
        }
        return PARSE_COMMAND;
    }
    if (progress == PROGRESS_MORE) {
        s->scanned = input.n;
        return PARSE_MORE;
    }
    if (resumed) { /* it is whole: this time all words are met */
        forget_frame(s);
        parser_begin(p);
        (void)take_array(p, s, input, &f);
    }
    *consumed = s->frame_at;
    forget_frame(s);
    return f.argc == 0 ? PARSE_NOTHING : make_command(p, f.argc, out);
}

static enum parse_verdict
parse_inline(struct parser *p, struct session *s, struct span input, size_t *consumed,
             struct command *out)
{
    const char *end = memchr(input.p + s->scanned, '\n', input.n - s->scanned);
    size_t n = end == NULL ? input.n : (size_t)(end - input.p), argc;
    size_t max = p->limits.line_max_bytes < RESP_LINE_MAX ? p->limits.line_max_bytes
                                                          : RESP_LINE_MAX;
    struct span line;

    if (n > max)
        return refuse_input(s, input, "ERR Protocol error: too big inline request",
                            consumed, out);
    if (end == NULL) {
        s->scanned = input.n;
        return PARSE_MORE;
    }
    line = span_of(input.p, n > 0 && input.p[n - 1] == '\r' ? n - 1 : n);
    if (protocol_is_http(line))
        return PARSE_CLOSE;
    if (!split_line(p, line, &argc))
        return refuse_input(s, input, "ERR Protocol error: unbalanced quotes in request",
                            consumed, out);
    *consumed = n + 1;
    s->scanned = 0;
    return argc == 0 ? PARSE_NOTHING : make_command(p, argc, out);
}

static enum parse_verdict
resp_parse(struct parser *p, struct session *s, struct span input, size_t *consumed,
           struct command *out)
{
    *consumed = 0;
    memset(out, 0, sizeof(*out));
    out->error_text = "";
    parser_begin(p);
    if (input.p[0] == '*')
        return parse_array(p, s, input, consumed, out);
    return parse_inline(p, s, input, consumed, out);
}

const struct protocol protocol_resp = {
    .name = "resp",
    .parse = resp_parse,
};
