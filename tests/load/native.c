/*
 * native.c - fetchd's own dialect.
 *
 *     fetch 7 8 9 ->  ITEM 7 {...}   one line for each position in request order,
 *                     MISS 8         the key echoed
 *                     FAIL 9 code
 *                     DONE 1 1 1 ms=0.1
 */
#include "common/log.h"
#include "tests/load/dialect.h"
#include "tests/load/row.h"

#include <inttypes.h>

static void
native_ask(struct buf *out, const uint32_t *ids, size_t n)
{
    char *start = buf_reserve(out, 5 + n * (1 + ROW_DIGITS_MAX) + 2), *to = start;
    size_t i;

    if (start == NULL)
        return;
    memcpy(to, "fetch", 5);
    to += 5;
    for (i = 0; i < n; i++) {
        *to++ = ' ';
        to += row_digits(ids[i], to);
    }
    memcpy(to, "\r\n", 2);
    buf_commit(out, (size_t)(to + 2 - start));
}

/* Is the next line exactly the one that should come?  Its length, or 0. */
static size_t
match_line(struct reply *r, const struct judge *j, struct span in)
{
    char head[5 + ROW_DIGITS_MAX + 1];
    size_t n = 5, length;

    if (!reply_foreseen(r, j, &length))
        return 0;
    memcpy(head, "ITEM ", 5);
    n += row_digits(r->ids[r->at], head + n);
    head[n++] = ' ';
    return reply_match(r, j, in, span_of(head, n));
}

/* The lines that answer one position.  false: it is none of them. */
static bool
judge_position(struct reply *r, const struct judge *j, struct span status,
               struct span rest)
{
    struct span key;
    size_t at = r->at;

    if (at >= r->nids)
        return false;
    key = reply_take_word(&rest);
    if (span_equal(status, SPAN("ITEM"))) {
        reply_item(r, j, rest);
    } else if (span_equal(status, SPAN("STALE"))) {
        reply_take_word(&rest);
        reply_item(r, j, rest);
    } else if (span_equal(status, SPAN("MISS"))) {
        reply_miss(r, j);
    } else if (span_equal(status, SPAN("FAIL"))) {
        reply_fail(r, j, rest);
    } else {
        return false;
    }
    if (j->plan->verify != VERIFY_NONE && !reply_is_number(key, r->ids[at]))
        tally_wrong(j->tally, "position %zu: asked %" PRIu32 ", answered %.*s", at,
                    r->ids[at], (int)(key.n > 40 ? 40 : key.n), key.p);
    return true;
}

static void
judge_done(const struct reply *r, const struct judge *j, struct span rest)
{
    struct span items = reply_take_word(&rest), misses = reply_take_word(&rest),
                failures = reply_take_word(&rest);

    reply_end(r, j);
    if (!reply_is_number(items, r->items) || !reply_is_number(misses, r->misses) ||
        !reply_is_number(failures, r->failures))
        tally_wrong(j->tally,
                    "DONE %.*s %.*s %.*s after %" PRIu64 " %" PRIu64 " %" PRIu64,
                    SPAN_FMT(items), SPAN_FMT(misses), SPAN_FMT(failures), r->items,
                    r->misses, r->failures);
    if (rest.n < 4 || memcmp(rest.p, "ms=", 3) != 0)
        tally_wrong(j->tally, "DONE without its time: %.*s", SPAN_FMT(rest));
}

static enum reply_state
judge_line(struct reply *r, const struct judge *j, struct span line)
{
    struct span whole = line, status = reply_take_word(&line);
    char escaped[LOG_ESCAPE_SIZE];

    if (span_equal(status, SPAN("DONE"))) {
        judge_done(r, j, line);
        return REPLY_DONE;
    }
    if (span_equal(status, SPAN("ERROR"))) {
        if (r->at != 0)
            tally_wrong(j->tally, "ERROR in the middle of an answer");
        tally_error(j->tally, reply_take_word(&line));
        return REPLY_DONE;
    }
    if (judge_position(r, j, status, line))
        return REPLY_MORE;
    tally_wrong(j->tally, "unexpected line: %s", log_escape(whole, escaped));
    return REPLY_BROKEN;
}

static enum reply_state
native_feed(struct reply *r, const struct judge *j, struct span in, size_t *used)
{
    enum reply_state state = REPLY_MORE;
    struct span line;
    size_t n;

    *used = 0;
    while (state == REPLY_MORE) {
        struct span rest = span_of(in.p + *used, in.n - *used);

        if ((n = match_line(r, j, rest)) > 0) {
            *used += n;
            continue;
        }
        if ((n = reply_take_line(j, rest, &line)) == 0)
            return REPLY_MORE;
        *used += n;
        state = line.p == NULL ? REPLY_BROKEN : judge_line(r, j, line);
    }
    return state;
}

const struct dialect dialect_native = {
    .name = "native",
    .ask = native_ask,
    .feed = native_feed,
};

const struct dialect dialect_echo = {
    .name = "echo",
    .echoes = true,
    .ask = native_ask,
    .feed = native_feed,
};
