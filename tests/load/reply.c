/*
 * reply.c - is this what the server should have said?
 *
 * The generator shares a core with what it measures, so checking must be cheap: what
 * must come next is known with its length, so nothing is searched for and no line is
 * taken apart while all is right.  Only what differs is looked at closely, to say in
 * which way.
 */
#include "tests/load/reply.h"

#include "common/log.h"
#include "tests/load/row.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define LINE_MAX_BYTES (16 << 20)
#define SAMPLE_EVERY 16

/* Positions from asking memory for an entry to needing it. */
#define AHEAD 16

void
reply_begin(struct reply *r, const struct judge *j, const uint32_t *ids, size_t nids,
            usec_t sent)
{
    size_t i;

    for (i = 0; i < nids && i < AHEAD && j->expect != NULL; i++)
        expect_prefetch(j->expect, ids[i]);
    r->ids = ids;
    r->nids = nids;
    r->at = 0;
    r->items = r->misses = r->failures = 0;
    r->begun = false;
    r->sent = sent;
}

/* --- the quick way ------------------------------------------------------------------ */

static bool
wants_exact(const struct plan *plan, uint32_t id)
{
    return plan->verify == VERIFY_ALL ||
           (plan->verify == VERIFY_SAMPLE && id % SAMPLE_EVERY == 0);
}

bool
reply_foreseen(const struct reply *r, const struct judge *j, size_t *length)
{
    if (j->expect == NULL || r->at >= r->nids || !expect_exists(j->expect, r->ids[r->at]))
        return false;
    *length = expect_length(j->expect, r->ids[r->at]);
    return true;
}

size_t
reply_match(struct reply *r, const struct judge *j, struct span in, struct span head)
{
    uint32_t id = r->ids[r->at];
    size_t length = expect_length(j->expect, id), all = head.n + length + 2;
    const char *item = in.p + head.n;

    if (in.n < all || memcmp(in.p, head.p, head.n) != 0 || item[length] != '\r' ||
        item[length + 1] != '\n')
        return 0;
    if (wants_exact(j->plan, id)) {
        if (!expect_equal(j->expect, id, item))
            return 0;
        j->tally->exact++;
    }
    if (r->at + AHEAD < r->nids)
        expect_prefetch(j->expect, r->ids[r->at + AHEAD]);
    r->at++;
    r->items++;
    tally_item(j->tally);
    return all;
}

/* --- the slow way ------------------------------------------------------------------- */

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

void
reply_item(struct reply *r, const struct judge *j, struct span item)
{
    char escaped[LOG_ESCAPE_SIZE];
    uint32_t id = r->ids[r->at++];

    assert(r->at <= r->nids);
    r->items++;
    tally_item(j->tally);
    if (wants_exact(j->plan, id))
        compare_item(j->tally, id, j->plan->rows, item);
    else if (j->plan->verify != VERIFY_NONE && !holds_id(item, j->plan->key, id))
        tally_wrong(j->tally, "item %" PRIu32 " does not hold its id: %s", id,
                    log_escape(item, escaped));
}

void
reply_miss(struct reply *r, const struct judge *j)
{
    uint32_t id = r->ids[r->at++];

    assert(r->at <= r->nids);
    r->misses++;
    tally_miss(j->tally);
    if (j->plan->verify != VERIFY_NONE && id <= j->plan->rows)
        tally_wrong(j->tally, "item %" PRIu32 " exists and was missed", id);
}

void
reply_fail(struct reply *r, const struct judge *j, struct span code)
{
    r->at++;
    assert(r->at <= r->nids);
    r->failures++;
    tally_fail(j->tally, code);
}

void
reply_end(const struct reply *r, const struct judge *j)
{
    if (r->at != r->nids)
        tally_wrong(j->tally, "%zu positions asked, %zu answered", r->nids, r->at);
}

/* --- pieces of lines ----------------------------------------------------------------- */

size_t
reply_take_line(const struct judge *j, struct span in, struct span *line)
{
    const char *end = in.n == 0 ? NULL : memchr(in.p, '\n', in.n);
    size_t size;

    *line = span_of("", 0);
    if (end == NULL) {
        if (in.n <= LINE_MAX_BYTES)
            return 0;
        tally_wrong(j->tally, "a line without end");
        *line = span_of(NULL, 0);
        return in.n;
    }
    size = (size_t)(end - in.p);
    if (size > 0 && in.p[size - 1] == '\r')
        *line = span_of(in.p, size - 1);
    else {
        tally_wrong(j->tally, "a line that does not end in CRLF");
        *line = span_of(in.p, size);
    }
    return size + 1;
}

struct span
reply_take_word(struct span *line)
{
    const char *end = line->n == 0 ? NULL : memchr(line->p, ' ', line->n);
    struct span word = *line;

    if (end == NULL) {
        *line = span_of("", 0);
        return word;
    }
    word.n = (size_t)(end - line->p);
    *line = span_of(end + 1, line->n - word.n - 1);
    return word;
}

bool
reply_is_number(struct span s, uint64_t v)
{
    char digits[24];

    return span_equal(s, span_of(digits, (size_t)sprintf(digits, "%" PRIu64, v)));
}

bool
reply_to_number(struct span s, size_t *v)
{
    size_t i;

    *v = 0;
    for (i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        *v = *v * 10 + (size_t)(s.p[i] - '0');
    return s.n > 0 && s.n <= 9 && i == s.n;
}
