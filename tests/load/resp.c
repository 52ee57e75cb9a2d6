/*
 * resp.c - the Redis protocol, version 2.
 *
 *     MGET 7 8 9 ->  *3            one element for each position; a single id is
 *                    $343          asked with GET, whose answer is the element alone
 *                    {...}
 *                    $-1           there is no such item
 *                    -TIMEOUT ...  this one failed
 */
#include "common/log.h"
#include "tests/load/dialect.h"
#include "tests/load/row.h"

#include <ctype.h>

/* "$nn\r\n", the digits and CRLF */
#define ARGUMENT_MAX (3 + 2 + ROW_DIGITS_MAX + 2)

static char *
put(char *to, struct span s)
{
    memcpy(to, s.p, s.n);
    return to + s.n;
}

static char *
put_argument(char *to, uint32_t id)
{
    char digits[ROW_DIGITS_MAX];
    size_t n = row_digits(id, digits);

    *to++ = '$';
    to += row_digits((uint32_t)n, to);
    to = put(to, SPAN("\r\n"));
    to = put(to, span_of(digits, n));
    return put(to, SPAN("\r\n"));
}

static void
resp_ask(struct buf *out, const uint32_t *ids, size_t n)
{
    char *start = buf_reserve(out, 32 + n * ARGUMENT_MAX), *to = start;
    size_t i;

    if (start == NULL)
        return;
    if (n == 1) {
        to = put(to, SPAN("*2\r\n$3\r\nGET\r\n"));
    } else {
        *to++ = '*';
        to += row_digits((uint32_t)n + 1, to);
        to = put(to, SPAN("\r\n$4\r\nMGET\r\n"));
    }
    for (i = 0; i < n; i++)
        to = put_argument(to, ids[i]);
    buf_commit(out, (size_t)(to - start));
}

/* Is the next element exactly the one that should come?  Its length, or 0. */
static size_t
match_element(struct reply *r, const struct judge *j, struct span in)
{
    char head[1 + ROW_DIGITS_MAX + 2];
    size_t n = 1, length;

    if (!reply_foreseen(r, j, &length))
        return 0;
    head[0] = '$';
    n += row_digits((uint32_t)length, head + n);
    memcpy(head + n, "\r\n", 2);
    return reply_match(r, j, in, span_of(head, n + 2));
}

/* fetchd's error elements begin with the code of FAIL in capitals. */
static void
judge_error(struct reply *r, const struct judge *j, struct span text)
{
    struct span word = reply_take_word(&text);
    char code[16];
    size_t i;

    if (span_equal(word, SPAN("DBERR")))
        word = SPAN("database");
    for (i = 0; i < word.n && i < sizeof(code); i++)
        code[i] = (char)tolower((unsigned char)word.p[i]);
    reply_fail(r, j, span_of(code, i));
}

/* A bulk string whose line is 'n' bytes long; they are followed by the item. */
static enum reply_state
judge_bulk(struct reply *r, const struct judge *j, struct span in, struct span digits,
           size_t *n)
{
    const char *item = in.p + *n;
    size_t length;

    if (span_equal(digits, SPAN("-1"))) {
        reply_miss(r, j);
        return REPLY_MORE;
    }
    if (!reply_to_number(digits, &length)) {
        tally_wrong(j->tally, "a bulk string without a length");
        return REPLY_BROKEN;
    }
    if (in.n < *n + length + 2) {
        *n = 0;
        return REPLY_MORE;
    }
    *n += length + 2;
    reply_item(r, j, span_of(item, length));
    if (item[length] == '\r' && item[length + 1] == '\n')
        return REPLY_MORE;
    tally_wrong(j->tally, "a bulk string that does not end in CRLF");
    return REPLY_BROKEN;
}

/* One line of the answer, or with a bulk string more than that. */
static enum reply_state
judge_line(struct reply *r, const struct judge *j, struct span in, struct span line,
           size_t *n)
{
    struct span rest = line.n == 0 ? line : span_of(line.p + 1, line.n - 1);
    char kind = line.n == 0 ? '\0' : line.p[0], escaped[LOG_ESCAPE_SIZE];

    if (!r->begun && r->nids > 1) {
        r->begun = true;
        if (kind == '*' && reply_is_number(rest, r->nids))
            return REPLY_MORE;
        if (kind == '-') {
            tally_error(j->tally, reply_take_word(&rest));
            return REPLY_DONE;
        }
    } else if (kind == '$') {
        return judge_bulk(r, j, in, rest, n);
    } else if (kind == '-') {
        judge_error(r, j, rest);
        return REPLY_MORE;
    }
    tally_wrong(j->tally, "unexpected line: %s", log_escape(line, escaped));
    return REPLY_BROKEN;
}

static enum reply_state
resp_feed(struct reply *r, const struct judge *j, struct span in, size_t *used)
{
    enum reply_state state = REPLY_MORE;
    struct span line;
    size_t n;

    *used = 0;
    while (state == REPLY_MORE && r->at < r->nids) {
        struct span rest = span_of(in.p + *used, in.n - *used);

        if ((r->begun || r->nids == 1) && (n = match_element(r, j, rest)) > 0) {
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
    return state == REPLY_MORE ? REPLY_DONE : state;
}

static void
resp_store(struct buf *out, uint32_t id, struct span item)
{
    char digits[ROW_DIGITS_MAX];
    size_t n = row_digits(id, digits);

    buf_append_fmt(out, "*3\r\n$3\r\nSET\r\n$%zu\r\n%.*s\r\n$%zu\r\n", n, (int)n, digits,
                   item.n);
    buf_append_span(out, item);
    BUF_APPEND_LIT(out, "\r\n");
}

const struct dialect dialect_resp = {
    .name = "resp",
    .ask = resp_ask,
    .feed = resp_feed,
    .store = resp_store,
    .stored = { "+OK\r\n", 5 },
};
