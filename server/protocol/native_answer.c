/*
 * native_answer.c - fetchd's own dialect, the way out: results become lines.
 *
 *     [#tag ]ITEM <key> <json> | MISS <key> | FAIL <key> <code>      one for each position
 *     [#tag ]DONE <items> <misses> <failures> ms=<f>
 *     [#tag ]ERROR <code> [text]                                     nothing was looked up
 *
 * Promise: every command has an answer, and only DONE, END or a single line ends it.
 */
#include "server/protocol/native.h"

#include "server/stats/scoreboard.h"

/* The version of memcached whose replies clients may rely on; exactly three numbers,
 * because libmemcached and node-memcached read no other form. */
#define MEMCACHED_VERSION "1.6.18"

static void
append_tag(struct buf *out, const struct command *c)
{
    if (c->tag_len == 0)
        return;
    buf_append_char(out, '#');
    buf_append(out, c->tag, c->tag_len);
    buf_append_char(out, ' ');
}

static char *
put(char *to, struct span s)
{
    memcpy(to, s.p, s.n);
    return to + s.n;
}

/* One position: a single reserve, then plain copies; this is where the bytes go out. */
static void
append_result(struct buf *out, const struct command *c, const struct item_result *r)
{
    struct span code = span_str(item_fail_code(r->status));
    char *start =
        buf_reserve(out, COMMAND_TAG_MAX + 2 + 5 + r->key.n + 1 + r->json.n + code.n + 2);
    char *to = start;

    if (start == NULL)
        return;
    if (c->tag_len > 0) {
        *to++ = '#';
        to = put(to, span_of(c->tag, c->tag_len));
        *to++ = ' ';
    }
    switch (r->status) {
    case ITEM_FOUND:
        to = put(put(to, SPAN("ITEM ")), r->key);
        *to++ = ' ';
        to = put(to, r->json);
        break;
    case ITEM_MISS:
        to = put(put(to, SPAN("MISS ")), r->key);
        break;
    case ITEM_OPEN:
    case ITEM_FAIL_TIMEOUT:
    case ITEM_FAIL_DATABASE:
    case ITEM_FAIL_UPSTREAM:
    case ITEM_FAIL_OVERLOAD:
    case ITEM_FAIL_BADID:
    case ITEM_FAIL_TOOBIG:
    case ITEM_NSTATUSES:
        to = put(put(to, SPAN("FAIL ")), r->key);
        *to++ = ' ';
        to = put(to, code);
        break;
    }
    to = put(to, SPAN("\r\n"));
    buf_commit(out, (size_t)(to - start));
}

static void
answer_fetch(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t items = 0, misses = 0, i;

    for (i = 0; i < r->nresults; i++) {
        items += r->results[i].status == ITEM_FOUND;
        misses += r->results[i].status == ITEM_MISS;
        append_result(out, c, &r->results[i]);
    }
    append_tag(out, c);
    BUF_APPEND_LIT(out, "DONE ");
    buf_append_u64(out, items);
    buf_append_char(out, ' ');
    buf_append_u64(out, misses);
    buf_append_char(out, ' ');
    buf_append_u64(out, r->nresults - items - misses);
    BUF_APPEND_LIT(out, " ms=");
    buf_append_u64(out, r->elapsed / 1000);
    buf_append_char(out, '.');
    buf_append_char(out, (char)('0' + r->elapsed / 100 % 10));
    buf_append_char(out, (char)('0' + r->elapsed / 10 % 10));
    buf_append_char(out, (char)('0' + r->elapsed % 10));
    BUF_APPEND_LIT(out, "\r\n");
}

static const char *const error_codes[] = {
    [COMMAND_ERROR_UNKNOWN] = "",          [COMMAND_ERROR_SYNTAX] = " syntax ",
    [COMMAND_ERROR_OPTION] = " option ",   [COMMAND_ERROR_TOOMANY] = " toomany ",
    [COMMAND_ERROR_TOOLONG] = " toolong ",
};

static void
append_source(struct buf *out, struct span text)
{
    BUF_APPEND_LIT(out, "SOURCE ");
    buf_append_span(out, text);
    BUF_APPEND_LIT(out, "\r\n");
}

/* The answers of many lines, untagged. */
static void
append_lines(struct buf *out, const struct command *c, const struct reply *r)
{
    switch (c->kind) {
    case COMMAND_HELP:
        native_append_help(out);
        break;
    case COMMAND_SOURCES:
        r->each_source(r->arg, append_source, out);
        break;
    case COMMAND_STATS:
        scoreboard_print_stats(r->board, r->now, out);
        break;
    case COMMAND_STATS_WORKERS:
        scoreboard_print_workers(r->board, r->now, out);
        break;
    case COMMAND_FETCH:
    case COMMAND_PING:
    case COMMAND_VERSION:
    case COMMAND_QUIT:
    case COMMAND_ERROR:
        break;
    }
    BUF_APPEND_LIT(out, "END\r\n");
}

/* The same with the tag in front of every line. */
static void
append_tagged_lines(struct buf *out, const struct command *c, const struct reply *r)
{
    struct buf lines = BUF_INIT;
    const char *p, *end;

    append_lines(&lines, c, r);
    out->failed |= buf_failed(&lines); /* the last line may have no end */
    for (p = lines.data; !buf_failed(&lines) && p < lines.data + lines.len; p = end + 1) {
        end = memchr(p, '\n', (size_t)(lines.data + lines.len - p));
        append_tag(out, c);
        buf_append(out, p, (size_t)(end - p) + 1);
    }
    buf_fini(&lines);
}

void
native_answer(struct buf *out, const struct command *c, const struct reply *r)
{
    switch (c->kind) {
    case COMMAND_FETCH:
        answer_fetch(out, c, r);
        break;
    case COMMAND_PING:
        append_tag(out, c);
        BUF_APPEND_LIT(out, "PONG\r\n");
        break;
    case COMMAND_VERSION:
        append_tag(out, c);
        BUF_APPEND_LIT(out, "VERSION " MEMCACHED_VERSION "\r\n");
        break;
    case COMMAND_ERROR:
        append_tag(out, c);
        buf_append_fmt(out, "ERROR%s%s\r\n", error_codes[c->error], c->error_text);
        break;
    case COMMAND_QUIT:
        break;
    case COMMAND_HELP:
    case COMMAND_SOURCES:
    case COMMAND_STATS:
    case COMMAND_STATS_WORKERS:
        if (c->tag_len == 0)
            append_lines(out, c, r);
        else
            append_tagged_lines(out, c, r);
        break;
    }
}
