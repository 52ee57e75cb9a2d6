/*
 * memcached.c - memcached's text dialect.
 *
 *     get 7 8 9 ->  VALUE 7 0 343   what there is, in request order; the others are
 *                   {...}           left out
 *                   END
 */
#include "common/log.h"
#include "tests/load/dialect.h"
#include "tests/load/row.h"

static void
memcached_ask(struct buf *out, const uint32_t *ids, size_t n)
{
    char *start = buf_reserve(out, 3 + n * (1 + ROW_DIGITS_MAX) + 2), *to = start;
    size_t i;

    if (start == NULL)
        return;
    memcpy(to, "get", 3);
    to += 3;
    for (i = 0; i < n; i++) {
        *to++ = ' ';
        to += row_digits(ids[i], to);
    }
    memcpy(to, "\r\n", 2);
    buf_commit(out, (size_t)(to + 2 - start));
}

/* Is the next value exactly the one that should come?  Its length, or 0. */
static size_t
match_value(struct reply *r, const struct judge *j, struct span in)
{
    char head[6 + ROW_DIGITS_MAX + 3 + ROW_DIGITS_MAX + 2];
    size_t n = 6, length;

    if (!reply_foreseen(r, j, &length))
        return 0;
    memcpy(head, "VALUE ", 6);
    n += row_digits(r->ids[r->at], head + n);
    memcpy(head + n, " 0 ", 3);
    n += 3;
    n += row_digits((uint32_t)length, head + n);
    memcpy(head + n, "\r\n", 2);
    return reply_match(r, j, in, span_of(head, n + 2));
}

/* Those before 'key' were left out.  false: nobody asked for 'key'. */
static bool
skip_to(struct reply *r, const struct judge *j, struct span key)
{
    while (r->at < r->nids && !reply_is_number(key, r->ids[r->at]))
        reply_miss(r, j);
    return r->at < r->nids;
}

/* A value whose line is 'n' bytes long; they are followed by the item. */
static enum reply_state
judge_value(struct reply *r, const struct judge *j, struct span in, struct span line,
            size_t *n)
{
    struct span key = reply_take_word(&line), flags = reply_take_word(&line);
    const char *item = in.p + *n;
    size_t length;

    if (!reply_is_number(flags, 0) || !reply_to_number(line, &length)) {
        tally_wrong(j->tally, "a VALUE without flags 0 and a length");
        return REPLY_BROKEN;
    }
    if (in.n < *n + length + 2) {
        *n = 0;
        return REPLY_MORE;
    }
    *n += length + 2;
    if (!skip_to(r, j, key)) {
        tally_wrong(j->tally, "a value that nobody asked for: %.*s", SPAN_FMT(key));
        return REPLY_MORE;
    }
    reply_item(r, j, span_of(item, length));
    if (item[length] == '\r' && item[length + 1] == '\n')
        return REPLY_MORE;
    tally_wrong(j->tally, "a value that does not end in CRLF");
    return REPLY_BROKEN;
}

static enum reply_state
judge_line(struct reply *r, const struct judge *j, struct span in, struct span line,
           size_t *n)
{
    struct span whole = line, word = reply_take_word(&line);
    char escaped[LOG_ESCAPE_SIZE];

    if (span_equal(word, SPAN("VALUE")))
        return judge_value(r, j, in, line, n);
    if (span_equal(word, SPAN("END"))) {
        while (r->at < r->nids)
            reply_miss(r, j);
        return REPLY_DONE;
    }
    if (span_equal(word, SPAN("ERROR")) || span_equal(word, SPAN("CLIENT_ERROR")) ||
        span_equal(word, SPAN("SERVER_ERROR"))) {
        tally_error(j->tally, word);
        return REPLY_DONE;
    }
    tally_wrong(j->tally, "unexpected line: %s", log_escape(whole, escaped));
    return REPLY_BROKEN;
}

static enum reply_state
memcached_feed(struct reply *r, const struct judge *j, struct span in, size_t *used)
{
    enum reply_state state = REPLY_MORE;
    struct span line;
    size_t n;

    *used = 0;
    while (state == REPLY_MORE) {
        struct span rest = span_of(in.p + *used, in.n - *used);

        if ((n = match_value(r, j, rest)) > 0) {
            *used += n;
            continue;
        }
        if ((n = reply_take_line(j, rest, &line)) == 0)
            return REPLY_MORE;
        state = line.p == NULL ? REPLY_BROKEN : judge_line(r, j, rest, line, &n);
        if (n == 0)
            return REPLY_MORE;
        *used += n;
    }
    return state;
}

static void
memcached_store(struct buf *out, uint32_t id, struct span item)
{
    buf_append_fmt(out, "set %u 0 0 %zu\r\n", id, item.n);
    buf_append_span(out, item);
    BUF_APPEND_LIT(out, "\r\n");
}

const struct dialect dialect_memcached = {
    .name = "memcached",
    .ask = memcached_ask,
    .feed = memcached_feed,
    .store = memcached_store,
    .stored = { "STORED\r\n", 8 },
};
