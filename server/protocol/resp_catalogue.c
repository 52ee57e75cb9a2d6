/*
 * resp_catalogue.c - RESP: COMMAND, the table of commands shows itself.
 *
 * redis-cli makes its help of it, some libraries learn from it where keys stand.
 */
#include "server/protocol/resp.h"

static void
put_status(struct buf *out, struct span s)
{
    buf_append_char(out, '+');
    buf_append_span(out, s);
    BUF_APPEND_LIT(out, "\r\n");
}

static void
put_key_positions(struct buf *out, enum resp_keys keys)
{
    resp_put_integer(out, keys != RESP_KEYS_NONE);
    resp_put_integer(out, keys == RESP_KEYS_ALL ? -1 : keys != RESP_KEYS_NONE);
    resp_put_integer(out, keys != RESP_KEYS_NONE);
}

/* The ten parts that Redis 7 tells of a command. */
static void
put_entry(struct buf *out, const struct session *s, const struct resp_verb *verb)
{
    size_t i;

    resp_put_array(out, 10);
    resp_put_bulk(out, span_str(verb->name));
    resp_put_integer(out, verb->arity);
    resp_put_set(out, s, 2);
    put_status(out, verb->keys == RESP_KEYS_NONE ? SPAN("loading") : SPAN("readonly"));
    put_status(out, SPAN("fast"));
    put_key_positions(out, verb->keys);
    resp_put_set(out, s, 1);
    put_status(out, verb->keys == RESP_KEYS_NONE ? SPAN("@connection") : SPAN("@read"));
    resp_put_set(out, s, 0); /* tips */
    resp_put_set(out, s, 0); /* key specifications */
    resp_put_array(out, verb->nsubs);
    for (i = 0; i < verb->nsubs; i++)
        put_entry(out, s, &verb->subs[i]);
}

void
resp_answer_command(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t i;

    (void)c;
    resp_put_array(out, resp_nverbs);
    for (i = 0; i < resp_nverbs; i++)
        put_entry(out, r->session, &resp_verbs[i]);
}

void
resp_answer_command_count(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    (void)r;
    resp_put_integer(out, (long long)resp_nverbs);
}

void
resp_answer_command_list(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t i;

    (void)c;
    (void)r;
    resp_put_array(out, resp_nverbs);
    for (i = 0; i < resp_nverbs; i++)
        resp_put_bulk(out, span_str(resp_verbs[i].name));
}

void
resp_answer_command_info(struct buf *out, const struct command *c, const struct reply *r)
{
    const struct resp_verb *verb;
    size_t i;

    if (c->nargs == 0) {
        resp_answer_command(out, c, r);
        return;
    }
    resp_put_array(out, c->nargs);
    for (i = 0; i < c->nargs; i++) {
        if ((verb = resp_find_verb(c->args[i])) != NULL)
            put_entry(out, r->session, verb);
        else
            resp_put_nil(out, r->session);
    }
}

static void
put_docs(struct buf *out, const struct session *s, const struct resp_verb *verb)
{
    resp_put_bulk(out, span_str(verb->name));
    resp_put_map(out, s, 3);
    resp_put_bulk(out, SPAN("summary"));
    resp_put_bulk(out, span_str(verb->summary));
    resp_put_bulk(out, SPAN("since"));
    resp_put_bulk(out, SPAN(FETCHD_VERSION));
    resp_put_bulk(out, SPAN("group"));
    resp_put_bulk(out,
                  verb->keys == RESP_KEYS_NONE ? SPAN("connection") : SPAN("string"));
}

void
resp_answer_command_docs(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t n = 0, i;

    for (i = 0; i < c->nargs; i++)
        n += resp_find_verb(c->args[i]) != NULL;
    resp_put_map(out, r->session, c->nargs == 0 ? resp_nverbs : n);
    for (i = 0; c->nargs == 0 && i < resp_nverbs; i++)
        put_docs(out, r->session, &resp_verbs[i]);
    for (i = 0; i < c->nargs; i++) {
        if (resp_find_verb(c->args[i]) != NULL)
            put_docs(out, r->session, resp_find_verb(c->args[i]));
    }
}

/* "client|help" is asked of the subcommands of "client". */
void
resp_answer_help(struct buf *out, const struct command *c, const struct reply *r)
{
    const char *bar = strchr(c->error_text, '|');
    const struct resp_verb *verb =
        resp_find_verb(span_of(c->error_text, (size_t)(bar - c->error_text)));
    size_t i;

    (void)r;
    resp_put_array(out, verb->nsubs);
    for (i = 0; i < verb->nsubs; i++)
        buf_append_fmt(out, "+%s: %s\r\n", verb->subs[i].name + (bar - c->error_text) + 1,
                       verb->subs[i].summary);
}
