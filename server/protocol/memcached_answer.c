/*
 * memcached_answer.c - the memcached text dialect, the way out.
 *
 *     VALUE <key> 0 <bytes>[ <cas>] | <data> ... END          get gets gat gats
 *     VA <bytes> <flag>* | <data>    HD <flag>*    EN         mg
 *
 * Promise: an id that failed is left out like one that does not exist.  No client library
 * survives an error line behind a VALUE (measured with six of them): it hangs, drops what
 * it had or blames the next answer.  Failures are counted instead.
 */
#include "server/item/cas.h"
#include "server/protocol/memcached.h"

/* Digits of the largest 64-bit number. */
#define DIGITS_MAX 20

static char *
put(char *to, struct span s)
{
    memcpy(to, s.p, s.n);
    return to + s.n;
}

static char *
put_u64(char *to, uint64_t v)
{
    char digits[DIGITS_MAX];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        *to++ = digits[--n];
    return to;
}

/* --- items ------------------------------------------------------------------------ */

/* One hit: a single reserve, then plain copies; this is where the bytes go out. */
static void
append_value(struct buf *out, const struct item_result *r, bool with_cas)
{
    char *start = buf_reserve(out, sizeof("VALUE  0  \r\n\r\n") + 2 * DIGITS_MAX +
                                       r->key.n + r->json.n);
    char *to = start;

    if (start == NULL)
        return;
    to = put(put(put(to, SPAN("VALUE ")), r->key), SPAN(" 0 "));
    to = put_u64(to, r->json.n);
    if (with_cas) {
        *to++ = ' ';
        to = put_u64(to, item_cas(r->json));
    }
    to = put(put(put(to, SPAN("\r\n")), r->json), SPAN("\r\n"));
    buf_commit(out, (size_t)(to - start));
}

void
memcached_answer_values(struct buf *out, const struct command *c, const struct reply *r)
{
    bool with_cas = c->verb == MEMCACHED_GETS || c->verb == MEMCACHED_GATS;
    size_t i;

    for (i = r->first; i < r->last; i++) {
        if (item_present(r->results[i].status))
            append_value(out, &r->results[i], with_cas);
        if (reply_is_full(r, out, i, r->last, 0))
            return;
    }
    BUF_APPEND_LIT(out, "END\r\n");
}

/* --- lines ------------------------------------------------------------------------ */

static void
append_line(struct buf *out, const struct command *c, const char *text)
{
    if ((c->flags & MEMCACHED_QUIET) != 0)
        return;
    buf_append_span(out, span_str(text));
    BUF_APPEND_LIT(out, "\r\n");
}

void
memcached_answer_line(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    append_line(out, c, c->error_text);
}

#define NOT_A_NUMBER "CLIENT_ERROR cannot increment or decrement non-numeric value"

static const struct {
    const char *found;
    const char *missing;
} exists_texts[MEMCACHED_NVERBS] = {
    [MEMCACHED_CAS] = { "EXISTS", "NOT_FOUND" },
    [MEMCACHED_TOUCH] = { "TOUCHED", "NOT_FOUND" },
    [MEMCACHED_INCR] = { NOT_A_NUMBER, "NOT_FOUND" },
    [MEMCACHED_DECR] = { NOT_A_NUMBER, "NOT_FOUND" },
};

void
memcached_answer_exists(struct buf *out, const struct command *c, const struct reply *r)
{
    append_line(out, c,
                item_present(r->results[0].status) ? exists_texts[c->verb].found
                                                   : exists_texts[c->verb].missing);
}

#define DENIED "CLIENT_ERROR " PROTOCOL_DENIED

void
memcached_answer_forgotten(struct buf *out, const struct command *c,
                           const struct reply *r)
{
    append_line(out, c,
                r->denied                  ? DENIED
                : c->kind == COMMAND_FLUSH ? "OK"
                : r->forgotten > 0         ? "DELETED"
                                           : "NOT_FOUND");
}

/* --- meta commands ------------------------------------------------------------------ */

/* The flag with this letter; NULL: not given. */
static const struct span *
find_flag(const struct command *c, char letter)
{
    size_t i;

    for (i = 1; i < c->nargs; i++) {
        if (c->args[i].p[0] == letter)
            return &c->args[i];
    }
    return NULL;
}

/* Is the cas that the client knows that of the item? */
static bool
is_unchanged(const struct command *c, struct span json)
{
    const struct span *match =
        (c->flags & MEMCACHED_MATCH) != 0 ? find_flag(c, 'C') : NULL;
    uint64_t cas;

    return match != NULL &&
           memcached_read_unsigned(span_of(match->p + 1, match->n - 1), &cas) &&
           cas == item_cas(json);
}

/* What every answer repeats: opaque and key. */
static void
append_echo(struct buf *out, const struct command *c, struct span flag)
{
    if (flag.p[0] == 'O') {
        buf_append_char(out, ' ');
        buf_append_span(out, flag);
    } else if (flag.p[0] == 'k') {
        BUF_APPEND_LIT(out, " k");
        buf_append_span(out, c->args[0]);
        if (find_flag(c, 'b') != NULL)
            BUF_APPEND_LIT(out, " b");
    }
}

/* A flag of mg about an item that is there.  Items do not expire, and nobody remembers
 * when one was asked for last. */
static void
append_item_flag(struct buf *out, const struct command *c, struct span flag,
                 struct span json)
{
    switch (flag.p[0]) {
    case 's':
        BUF_APPEND_LIT(out, " s");
        buf_append_u64(out, json.n);
        break;
    case 'c':
        BUF_APPEND_LIT(out, " c");
        buf_append_u64(out, item_cas(json));
        break;
    case 't':
        BUF_APPEND_LIT(out, " t-1");
        break;
    case 'f':
        BUF_APPEND_LIT(out, " f0");
        break;
    case 'l':
        BUF_APPEND_LIT(out, " l0");
        break;
    case 'h':
        BUF_APPEND_LIT(out, " h0");
        break;
    default:
        append_echo(out, c, flag);
    }
}

static void
append_meta_hit(struct buf *out, const struct command *c, struct span json)
{
    bool value = (c->flags & MEMCACHED_VALUE) != 0 && !is_unchanged(c, json);
    size_t i;

    if (value) {
        BUF_APPEND_LIT(out, "VA ");
        buf_append_u64(out, json.n);
    } else {
        BUF_APPEND_LIT(out, "HD");
    }
    for (i = 1; i < c->nargs; i++)
        append_item_flag(out, c, c->args[i], json);
    BUF_APPEND_LIT(out, "\r\n");
    if (value) {
        buf_append_span(out, json);
        BUF_APPEND_LIT(out, "\r\n");
    }
}

/* A line of two letters and what is repeated behind them. */
static void
append_meta_line(struct buf *out, const struct command *c, const char *status)
{
    size_t i;

    buf_append_span(out, span_str(status));
    for (i = 1; i < c->nargs; i++) {
        append_echo(out, c, c->args[i]);
        if (c->verb == MEMCACHED_MS && c->args[i].p[0] == 'c')
            BUF_APPEND_LIT(out, " c0"); /* nothing was stored */
    }
    BUF_APPEND_LIT(out, "\r\n");
}

void
memcached_answer_meta_get(struct buf *out, const struct command *c, const struct reply *r)
{
    if (item_present(r->results[0].status))
        append_meta_hit(out, c, r->results[0].json);
    else if ((c->flags & MEMCACHED_QUIET) == 0)
        append_meta_line(out, c, "EN");
}

void
memcached_answer_meta_debug(struct buf *out, const struct command *c,
                            const struct reply *r)
{
    if (!item_present(r->results[0].status)) {
        BUF_APPEND_LIT(out, "EN\r\n");
        return;
    }
    BUF_APPEND_LIT(out, "ME ");
    buf_append_span(out, c->args[0]);
    BUF_APPEND_LIT(out, " exp=-1 la=0 cas=");
    buf_append_u64(out, item_cas(r->results[0].json));
    BUF_APPEND_LIT(out, " fetch=no cls=0 size=");
    buf_append_u64(out, r->results[0].json.n);
    BUF_APPEND_LIT(out, "\r\n");
}

/* q hides success.  C is not looked at: what is forgotten too much is fetched again. */
void
memcached_answer_meta_delete(struct buf *out, const struct command *c,
                             const struct reply *r)
{
    if (r->denied)
        BUF_APPEND_LIT(out, DENIED "\r\n");
    else if (r->forgotten == 0)
        append_meta_line(out, c, "NF");
    else if ((c->flags & MEMCACHED_QUIET) == 0)
        append_meta_line(out, c, "HD");
}

/* ms and ma never do what they ask for, so q, which hides success, hides nothing. */
void
memcached_answer_meta_status(struct buf *out, const struct command *c,
                             const struct reply *r)
{
    bool found = r->nresults > 0 && item_present(r->results[0].status);

    if (c->verb == MEMCACHED_MS)
        append_meta_line(out, c, c->kind == COMMAND_LOCAL ? "NS" : found ? "EX" : "NF");
    else if (!found)
        append_meta_line(out, c, "NF");
    else if ((c->flags & MEMCACHED_MATCH) != 0 && !is_unchanged(c, r->results[0].json))
        append_meta_line(out, c, "EX");
    else
        BUF_APPEND_LIT(out, NOT_A_NUMBER "\r\n");
}
