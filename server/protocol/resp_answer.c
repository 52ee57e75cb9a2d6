/*
 * resp_answer.c - RESP, the way out: results become replies.
 *
 * Promise: an id whose fate is not known is an error of its own, an element where others
 * are values; nil means that the source has no such item, and nothing else.  No byte of
 * a client can break a line of the reply.
 */
#include "server/protocol/resp.h"

#include "server/item/decode.h"
#include "server/item/project.h"

/* What is read of a client's bytes in an error, see Redis' rejectCommand. */
#define SHOWN_BYTES 128

/* --- types --------------------------------------------------------------------------- */

static void
put_header(struct buf *out, char type, size_t n)
{
    buf_append_char(out, type);
    buf_append_u64(out, n);
    BUF_APPEND_LIT(out, "\r\n");
}

void
resp_put_array(struct buf *out, size_t n)
{
    put_header(out, '*', n);
}

void
resp_put_map(struct buf *out, const struct session *s, size_t pairs)
{
    put_header(out, s->resp3 ? '%' : '*', s->resp3 ? pairs : 2 * pairs);
}

void
resp_put_set(struct buf *out, const struct session *s, size_t n)
{
    put_header(out, s->resp3 ? '~' : '*', n);
}

void
resp_put_bulk(struct buf *out, struct span s)
{
    put_header(out, '$', s.n);
    buf_append_span(out, s);
    BUF_APPEND_LIT(out, "\r\n");
}

void
resp_put_integer(struct buf *out, long long value)
{
    buf_append_fmt(out, ":%lld\r\n", value);
}

void
resp_put_nil(struct buf *out, const struct session *s)
{
    buf_append_span(out, s->resp3 ? SPAN("_\r\n") : SPAN("$-1\r\n"));
}

void
resp_put_ok(struct buf *out)
{
    BUF_APPEND_LIT(out, "+OK\r\n");
}

void
resp_put_verbatim(struct buf *out, const struct session *s, struct span text)
{
    if (!s->resp3) {
        resp_put_bulk(out, text);
        return;
    }
    put_header(out, '=', text.n + 4);
    BUF_APPEND_LIT(out, "txt:");
    buf_append_span(out, text);
    BUF_APPEND_LIT(out, "\r\n");
}

/* --- errors -------------------------------------------------------------------------- */

/* A client's bytes inside an error, at most 'max': up to a NUL, as C strings are printed,
 * and on one line.  Returns how many. */
static size_t
put_shown(struct buf *out, struct span s, size_t max)
{
    size_t n = strnlen(s.p, s.n < max ? s.n : max), i;

    for (i = 0; i < n; i++)
        buf_append_char(out, s.p[i] == '\r' || s.p[i] == '\n' ? ' ' : s.p[i]);
    return n;
}

void
resp_answer_error(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    buf_append_fmt(out, "-%s\r\n", c->error_text);
}

void
resp_answer_arity(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    buf_append_fmt(out, "-ERR wrong number of arguments for '%s' command\r\n",
                   c->error_text);
}

void
resp_answer_unknown(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t left = SHOWN_BYTES, i, n;

    (void)r;
    BUF_APPEND_LIT(out, "-ERR unknown command '");
    put_shown(out, c->args[0], SHOWN_BYTES);
    BUF_APPEND_LIT(out, "', with args beginning with: ");
    for (i = 1; i < c->nargs && left > 0; i++) {
        buf_append_char(out, '\'');
        n = put_shown(out, c->args[i], left) + 3;
        BUF_APPEND_LIT(out, "' ");
        left = n < left ? left - n : 0;
    }
    BUF_APPEND_LIT(out, "\r\n");
}

/* "Try CLIENT HELP." */
static void
put_upper(struct buf *out, const char *word)
{
    for (; *word != '\0'; word++)
        buf_append_char(out, (char)(*word >= 'a' && *word <= 'z' ? *word - 32 : *word));
}

void
resp_answer_unknown_sub(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    BUF_APPEND_LIT(out, "-ERR unknown subcommand '");
    put_shown(out, c->args[0], SHOWN_BYTES);
    BUF_APPEND_LIT(out, "'. Try ");
    put_upper(out, c->error_text);
    BUF_APPEND_LIT(out, " HELP.\r\n");
}

void
resp_answer_no_dollar(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    BUF_APPEND_LIT(out, "-ERR Protocol error: expected '$', got '");
    put_shown(out, c->args[0], 1);
    BUF_APPEND_LIT(out, "'\r\n");
}

void
resp_answer_hello_option(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    BUF_APPEND_LIT(out, "-ERR Syntax error in HELLO option '");
    put_shown(out, c->args[0], SHOWN_BYTES);
    BUF_APPEND_LIT(out, "'\r\n");
}

void
resp_answer_readonly(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    (void)r;
    BUF_APPEND_LIT(out, "-READONLY You can't write against a read only replica.\r\n");
}

void
resp_answer_forgotten(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    if (r->denied)
        BUF_APPEND_LIT(out, "-NOPERM " PROTOCOL_DENIED "\r\n");
    else
        resp_put_integer(out, (long long)r->forgotten);
}

/* --- items --------------------------------------------------------------------------- */

static const char *const failures[ITEM_NSTATUSES] = {
    [ITEM_FAIL_TIMEOUT] = "-TIMEOUT not there by the deadline\r\n",
    [ITEM_FAIL_DATABASE] = "-DBERR the database is away or refused\r\n",
    [ITEM_FAIL_UPSTREAM] = "-UPSTREAM the source is away or refused\r\n",
    [ITEM_FAIL_OVERLOAD] = "-OVERLOAD too many ids wait already\r\n",
    [ITEM_FAIL_BADID] = "-BADID not an id of this source\r\n",
    [ITEM_FAIL_TOOBIG] = "-TOOBIG the item or the answer is too big\r\n",
    [ITEM_FAIL_STALE] = "-STALE only a copy that is too old is there\r\n",
};

static void
put_failure(struct buf *out, enum item_status status)
{
    const char *text = failures[status];

    buf_append_span(out, text == NULL ? SPAN("-ERR not known\r\n") : span_str(text));
}

static void
put_item(struct buf *out, const struct item_result *item, const struct session *s)
{
    if (item_present(item->status))
        resp_put_bulk(out, item->json);
    else if (item->status == ITEM_MISS)
        resp_put_nil(out, s);
    else
        put_failure(out, item->status);
}

/* Says why, when the fate of any id is not known: the commands that count or look into
 * one item have no other way to tell. */
static bool
put_first_failure(struct buf *out, const struct reply *r)
{
    size_t i;

    for (i = 0; i < r->nresults; i++) {
        if (item_failed(r->results[i].status)) {
            put_failure(out, r->results[i].status);
            return true;
        }
    }
    return false;
}

void
resp_answer_get(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    put_item(out, &r->results[0], r->session);
}

void
resp_answer_mget(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t i;

    (void)c;
    if (r->first == 0)
        resp_put_array(out, r->nresults);
    for (i = r->first; i < r->last; i++) {
        put_item(out, &r->results[i], r->session);
        if (reply_is_full(r, out, i, r->last, 0))
            return;
    }
}

/* --- fields --------------------------------------------------------------------------- */

/* A JSON value as Redis would hold it in a hash. */
static void
put_value(struct buf *out, struct span value, const struct session *s)
{
    if (value.n > 0 && value.p[0] == '"') {
        put_header(out, '$', json_decoded_size(value));
        json_append_decoded(out, value);
        BUF_APPEND_LIT(out, "\r\n");
    } else if (span_equal(value, SPAN("null"))) {
        resp_put_nil(out, s);
    } else {
        resp_put_bulk(out, value);
    }
}

static void
put_field(struct buf *out, const struct item_result *item, struct span field,
          const struct session *s)
{
    struct span value;

    if (item_present(item->status) && json_find(item_object(item), field, &value))
        put_value(out, value, s);
    else
        resp_put_nil(out, s);
}

void
resp_answer_hget(struct buf *out, const struct command *c, const struct reply *r)
{
    if (!put_first_failure(out, r))
        put_field(out, &r->results[0], c->fields[0], r->session);
}

void
resp_answer_hmget(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t i;

    if (put_first_failure(out, r))
        return;
    resp_put_array(out, c->nfields);
    for (i = 0; i < c->nfields; i++)
        put_field(out, &r->results[0], c->fields[i], r->session);
}

void
resp_answer_hgetall(struct buf *out, const struct command *c, const struct reply *r)
{
    const struct item_result *item = &r->results[0];
    struct json_object object =
        item_present(item->status) ? item_object(item) : json_plain(SPAN("{}"));
    struct json_walk walk = json_walk_begin(object);
    struct span name, value;
    size_t n = 0;

    (void)c;
    if (put_first_failure(out, r))
        return;
    while (json_walk_next(&walk, &name, &value))
        n++;
    resp_put_map(out, r->session, n);
    walk = json_walk_begin(object);
    while (json_walk_next(&walk, &name, &value)) {
        put_value(out, span_of(name.p - 1, name.n + 2), r->session); /* its quotes too */
        put_value(out, value, r->session);
    }
}

/* --- about items ---------------------------------------------------------------------- */

void
resp_answer_exists(struct buf *out, const struct command *c, const struct reply *r)
{
    long long n = 0;
    size_t i;

    (void)c;
    if (put_first_failure(out, r))
        return;
    for (i = 0; i < r->nresults; i++)
        n += item_present(r->results[i].status);
    resp_put_integer(out, n);
}

void
resp_answer_strlen(struct buf *out, const struct command *c, const struct reply *r)
{
    const struct item_result *item = &r->results[0];

    (void)c;
    if (!put_first_failure(out, r))
        resp_put_integer(out, item_present(item->status) ? (long long)item->json.n : 0);
}

void
resp_answer_type(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    if (!put_first_failure(out, r))
        buf_append_span(out, item_present(r->results[0].status) ? SPAN("+string\r\n")
                                                                : SPAN("+none\r\n"));
}

/* Nothing expires here. */
void
resp_answer_ttl(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    if (!put_first_failure(out, r))
        resp_put_integer(out, item_present(r->results[0].status) ? -1 : -2);
}
