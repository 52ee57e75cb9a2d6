/*
 * native_answer.c - fetchd's own dialect, the way out: results become lines.
 *
 *     [#tag ]ITEM <key> <json> | STALE <key> <age_ms> <json>         one for each position
 *            | MISS <key> | FAIL <key> <code>
 *     [#tag ]DONE <items> <misses> <failures> ms=<f>
 *     [#tag ]ERROR <code> [text]                                     nothing was looked up
 *
 * Promise: every command has an answer, and only DONE, END or a single line ends it.
 */
#include "server/protocol/native.h"

#include "common/scan.h"
#include "server/item/project.h"
#include "server/protocol/figures.h"
#include "server/stats/scoreboard.h"

/* The version of memcached whose replies clients may rely on; exactly three numbers,
 * because libmemcached and node-memcached read no other form. */
#define MEMCACHED_VERSION "1.6.18"

void
native_append_tag(struct buf *out, const struct command *c)
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

/* A key has a byte at least. */
static char *
put_key(char *to, struct span key)
{
    return scan_copy(to, key.p, key.n);
}

/* One position: a single reserve, then plain copies; this is where the bytes go out. */
static void
append_result(struct buf *out, const struct command *c, const struct item_result *r)
{
    struct span code = item_fail_code(r->status);
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
    if (r->status == ITEM_FOUND) {
        to = put_key(put(to, SPAN("ITEM ")), r->key);
        *to++ = ' ';
        to = put(to, r->json);
    } else if (r->status == ITEM_MISS) {
        to = put_key(put(to, SPAN("MISS ")), r->key);
    } else {
        to = put_key(put(to, SPAN("FAIL ")), r->key);
        *to++ = ' ';
        to = put(to, code);
    }
    to = put(to, SPAN("\r\n"));
    buf_commit(out, (size_t)(to - start));
}

/* An item that is old, or of which only some fields are shown. */
static void
append_present(struct buf *out, const struct command *c, const struct item_result *r)
{
    native_append_tag(out, c);
    buf_append_span(out, r->status == ITEM_STALE ? SPAN("STALE ") : SPAN("ITEM "));
    buf_append_span(out, r->key);
    buf_append_char(out, ' ');
    if (r->status == ITEM_STALE) {
        buf_append_u64(out, r->age_ms);
        buf_append_char(out, ' ');
    }
    if (c->nfields == 0)
        buf_append_span(out, r->json);
    else
        json_project(out, item_object(r), c->fields, c->nfields);
    BUF_APPEND_LIT(out, "\r\n");
}

static void
append_line(struct buf *out, const struct command *c, const struct item_result *r)
{
    if (r->status == ITEM_STALE || (c->nfields > 0 && r->status == ITEM_FOUND))
        append_present(out, c, r);
    else
        append_result(out, c, r);
}

/* false: the rest follows later. */
static bool
append_lines_of_results(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t work = 0, i;

    for (i = r->first; i < r->last; i++) {
        const struct item_result *result = &r->results[r->due == NULL ? i : r->due[i]];

        append_line(out, c, result);
        work += c->nfields > 0 ? result->json.n : 0;
        if (reply_is_full(r, out, i, r->last, work))
            return false;
    }
    return true;
}

static void
append_traces(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t i;

    for (i = 0; i < r->nresults && r->traces != NULL; i++) {
        native_append_tag(out, c);
        BUF_APPEND_LIT(out, "TRACE ");
        buf_append_span(out, r->results[i].key);
        buf_append_fmt(out, " source=%s from=%s wait_us=%u", r->traces[i].source,
                       item_origin_name(r->traces[i].origin), r->traces[i].wait_us);
        if (r->traces[i].missing != NULL)
            buf_append_fmt(out, " missing=%s", r->traces[i].missing);
        BUF_APPEND_LIT(out, "\r\n");
    }
}

static void
append_done(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t items = 0, misses = 0, i;

    for (i = 0; i < r->nresults; i++) {
        items += item_present(r->results[i].status);
        misses += r->results[i].status == ITEM_MISS;
    }
    native_append_tag(out, c);
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
    if (c->layout != LAYOUT_LINES)
        native_append_statuses(out, r);
    if (r->partial > 0)
        buf_append_fmt(out, " partial=%zu", r->partial);
    BUF_APPEND_LIT(out, "\r\n");
}

static void
answer_fetch(struct buf *out, const struct command *c, const struct reply *r)
{
    bool all = c->layout == LAYOUT_LINES ? append_lines_of_results(out, c, r)
                                         : native_append_data(out, c, r);

    if (!all || r->more)
        return;
    append_traces(out, c, r);
    append_done(out, c, r);
}

static const char *const error_codes[] = {
    [COMMAND_ERROR_UNKNOWN] = "",          [COMMAND_ERROR_SYNTAX] = " syntax ",
    [COMMAND_ERROR_OPTION] = " option ",   [COMMAND_ERROR_TOOMANY] = " toomany ",
    [COMMAND_ERROR_TOOLONG] = " toolong ", [COMMAND_ERROR_BUSY] = " busy ",
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
        figures_print(r, out);
        break;
    case COMMAND_STATS_WORKERS:
        scoreboard_print_workers(r->board, r->now, out);
        break;
    case COMMAND_FETCH:
    case COMMAND_PING:
    case COMMAND_VERSION:
    case COMMAND_INVALIDATE:
    case COMMAND_FLUSH:
    case COMMAND_QUIT:
    case COMMAND_LOCAL:
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
        native_append_tag(out, c);
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
        native_append_tag(out, c);
        BUF_APPEND_LIT(out, "PONG\r\n");
        break;
    case COMMAND_VERSION:
        native_append_tag(out, c);
        BUF_APPEND_LIT(out, "VERSION " MEMCACHED_VERSION "\r\n");
        break;
    case COMMAND_ERROR:
        native_append_tag(out, c);
        buf_append_fmt(out, "ERROR%s%s\r\n", error_codes[c->error], c->error_text);
        break;
    case COMMAND_INVALIDATE:
        native_append_tag(out, c);
        if (r->denied)
            BUF_APPEND_LIT(out, "ERROR auth " PROTOCOL_DENIED "\r\n");
        else
            buf_append_fmt(out, "INVALIDATED %zu\r\n", r->forgotten);
        break;
    case COMMAND_FLUSH:
    case COMMAND_QUIT:
    case COMMAND_LOCAL:
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
