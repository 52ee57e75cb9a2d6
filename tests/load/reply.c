/*
 * reply.c - is this what fetchd should have said?
 *
 * The generator shares a core with what it measures, so checking must be cheap: the
 * whole expected line is computed and compared at once, without looking for its end.
 * Only a line that differs is taken apart, to say in which way.
 */
#include "tests/load/reply.h"

#include "common/log.h"
#include "tests/load/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (16 << 20)
#define SAMPLE_EVERY 16

void
reply_begin(struct reply *r, usec_t now)
{
    r->at = 0;
    r->items = r->misses = r->failures = 0;
    r->sent = now;
}

static bool
wants_exact(const struct plan *plan, const struct reply *r)
{
    return plan->verify == VERIFY_ALL ||
           (plan->verify == VERIFY_SAMPLE && r->ids[r->at] % SAMPLE_EVERY == 0);
}

/* The line for 'id' up to its item. */
static size_t
expected_head(uint32_t id, char *out)
{
    size_t n = 5;

    memcpy(out, "ITEM ", 5);
    n += row_digits(id, out + n);
    out[n++] = ' ';
    return n;
}

/* Is the next line exactly the one that should come?  Its length, or 0. */
static size_t
match_exact(const struct reply *r, struct span in)
{
    char line[ROW_ITEM_MAX + 32];
    size_t n = expected_head(r->ids[r->at], line);

    n += row_item(r->ids[r->at], line + n);
    line[n++] = '\r';
    line[n++] = '\n';
    return in.n >= n && memcmp(in.p, line, n) == 0 ? n : 0;
}

/* Cuts the first word off 'line'. */
static struct span
take_word(struct span *line)
{
    const char *end = line->n == 0 ? NULL : memchr(line->p, ' ', line->n);
    struct span word = *line;

    if (end == NULL) {
        *line = span_of(NULL, 0);
        return word;
    }
    word.n = (size_t)(end - line->p);
    *line = span_of(end + 1, line->n - word.n - 1);
    return word;
}

static bool
is_number(struct span s, uint64_t v)
{
    char digits[24];

    return span_equal(s, span_of(digits, (size_t)sprintf(digits, "%" PRIu64, v)));
}

/* Does the object hold "key":id ? */
static bool
holds_id(struct span item, const char *key, uint32_t id)
{
    char field[128];
    int n = snprintf(field, sizeof(field), "\"%s\":%" PRIu32, key, id);
    const char *at;

    if (n < 0 || (size_t)n >= sizeof(field) || item.n < 2 || item.p[0] != '{' ||
        item.p[item.n - 1] != '}')
        return false;
    at = memmem(item.p, item.n, field, (size_t)n);
    return at != NULL && (at[n] == ',' || at[n] == '}');
}

/* Says where the item differs from what it should be; nothing when it does not. */
static void
compare_item(struct tally *t, uint32_t id, uint32_t rows, struct span item)
{
    char expected[ROW_ITEM_MAX], got[LOG_ESCAPE_SIZE], wanted[LOG_ESCAPE_SIZE];
    struct span want = span_of(expected, id <= rows ? row_item(id, expected) : 0);
    size_t at = 0;

    t->exact++;
    if (span_equal(item, want))
        return;
    while (at < item.n && at < want.n && item.p[at] == want.p[at])
        at++;
    tally_wrong(t, "item %" PRIu32 " from byte %zu: %s instead of %s", id, at,
                log_escape(span_of(item.p + at, item.n - at), got),
                log_escape(span_of(want.p + at, want.n - at), wanted));
}

static void
judge_item(struct reply *r, const struct plan *plan, struct tally *t, struct span item)
{
    char escaped[LOG_ESCAPE_SIZE];
    uint32_t id = r->ids[r->at];

    r->items++;
    tally_item(t);
    if (wants_exact(plan, r))
        compare_item(t, id, plan->rows, item);
    else if (plan->verify != VERIFY_NONE && !holds_id(item, plan->key, id))
        tally_wrong(t, "item %" PRIu32 " does not hold its id: %s", id,
                    log_escape(item, escaped));
}

/* The lines that answer one position.  false: it is none of them. */
static bool
judge_position(struct reply *r, const struct plan *plan, struct tally *t,
               struct span status, struct span rest)
{
    struct span key;
    uint32_t id;

    if (r->at >= r->nids)
        return false;
    key = take_word(&rest);
    id = r->ids[r->at];
    if (span_equal(status, SPAN("ITEM"))) {
        judge_item(r, plan, t, rest);
    } else if (span_equal(status, SPAN("STALE"))) {
        take_word(&rest);
        judge_item(r, plan, t, rest);
    } else if (span_equal(status, SPAN("MISS"))) {
        r->misses++;
        tally_miss(t);
        if (plan->verify != VERIFY_NONE && id <= plan->rows)
            tally_wrong(t, "item %" PRIu32 " exists and was missed", id);
    } else if (span_equal(status, SPAN("FAIL"))) {
        r->failures++;
        tally_fail(t, rest);
    } else {
        return false;
    }
    if (plan->verify != VERIFY_NONE && !is_number(key, id))
        tally_wrong(t, "position %zu: asked %" PRIu32 ", answered %.*s", r->at, id,
                    (int)(key.n > 40 ? 40 : key.n), key.p);
    r->at++;
    return true;
}

static void
judge_done(const struct reply *r, struct tally *t, struct span rest)
{
    struct span items = take_word(&rest), misses = take_word(&rest),
                failures = take_word(&rest);

    if (r->at != r->nids)
        tally_wrong(t, "%zu positions asked, %zu answered", r->nids, r->at);
    if (!is_number(items, r->items) || !is_number(misses, r->misses) ||
        !is_number(failures, r->failures))
        tally_wrong(t, "DONE %.*s %.*s %.*s after %" PRIu64 " %" PRIu64 " %" PRIu64,
                    SPAN_FMT(items), SPAN_FMT(misses), SPAN_FMT(failures), r->items,
                    r->misses, r->failures);
    if (rest.n < 4 || memcmp(rest.p, "ms=", 3) != 0)
        tally_wrong(t, "DONE without its time: %.*s", SPAN_FMT(rest));
}

static enum reply_state
judge_line(struct reply *r, const struct plan *plan, struct tally *t, struct span line)
{
    struct span whole = line, status = take_word(&line);
    char escaped[LOG_ESCAPE_SIZE];

    if (span_equal(status, SPAN("DONE"))) {
        judge_done(r, t, line);
        return REPLY_DONE;
    }
    if (span_equal(status, SPAN("ERROR"))) {
        if (r->at != 0)
            tally_wrong(t, "ERROR in the middle of an answer");
        tally_error(t, take_word(&line));
        return REPLY_DONE;
    }
    if (judge_position(r, plan, t, status, line))
        return REPLY_MORE;
    tally_wrong(t, "unexpected line: %s", log_escape(whole, escaped));
    return REPLY_BROKEN;
}

/* Takes one line that match_exact did not know.  REPLY_MORE with 'n' = 0: the line
 * is not complete yet. */
static enum reply_state
feed_line(struct reply *r, const struct plan *plan, struct tally *t, struct span in,
          size_t *n)
{
    const char *end = in.n == 0 ? NULL : memchr(in.p, '\n', in.n);
    size_t size;

    *n = 0;
    if (end == NULL) {
        if (in.n <= LINE_MAX_BYTES)
            return REPLY_MORE;
        tally_wrong(t, "a line without end");
        return REPLY_BROKEN;
    }
    size = (size_t)(end - in.p);
    *n = size + 1;
    if (size == 0 || in.p[size - 1] != '\r')
        tally_wrong(t, "a line that does not end in CRLF");
    else
        size--;
    return judge_line(r, plan, t, span_of(in.p, size));
}

enum reply_state
reply_feed(struct reply *r, const struct plan *plan, struct tally *t, struct span in,
           size_t *used)
{
    enum reply_state state;
    size_t n;

    *used = 0;
    for (;;) {
        struct span rest = span_of(in.p + *used, in.n - *used);

        if (r->at < r->nids && wants_exact(plan, r) && r->ids[r->at] <= plan->rows &&
            (n = match_exact(r, rest)) > 0) {
            r->at++;
            r->items++;
            t->exact++;
            tally_item(t);
            *used += n;
            continue;
        }
        state = feed_line(r, plan, t, rest, &n);
        *used += n;
        if (state != REPLY_MORE || n == 0)
            return state;
    }
}
