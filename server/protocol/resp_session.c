/*
 * resp_session.c - RESP: answers about the connection, and what tools of Redis ask for.
 *
 * What a command changes in the session, it changes when it is answered: replies to what
 * was asked before it are still in the old protocol, whatever arrived with it.
 */
#include "server/cache/cache.h"
#include "server/protocol/resp.h"

#include <fnmatch.h>
#include <stdio.h>
#include <time.h>

/* --- simple ones ---------------------------------------------------------------------- */

void
resp_answer_ok(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    (void)r;
    resp_put_ok(out);
}

void
resp_answer_dbsize(struct buf *out, const struct command *c, const struct reply *r)
{
    struct cache_stats cache = { .entries = 0 };

    (void)c;
    if (r->cache != NULL)
        cache_stats(r->cache, &cache);
    resp_put_integer(out, (long long)cache.entries);
}

void
resp_answer_ping(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    if (c->nargs == 0)
        BUF_APPEND_LIT(out, "+PONG\r\n");
    else
        resp_put_bulk(out, c->args[0]);
}

void
resp_answer_echo(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    resp_put_bulk(out, c->args[0]);
}

void
resp_answer_time(struct buf *out, const struct command *c, const struct reply *r)
{
    struct timespec now;
    char digits[32];

    (void)c;
    (void)r;
    clock_gettime(CLOCK_REALTIME, &now);
    resp_put_array(out, 2);
    snprintf(digits, sizeof(digits), "%lld", (long long)now.tv_sec);
    resp_put_bulk(out, span_str(digits));
    snprintf(digits, sizeof(digits), "%ld", now.tv_nsec / 1000);
    resp_put_bulk(out, span_str(digits));
}

/* The database is the master; it has no address that a client of ours could use. */
void
resp_answer_role(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    (void)r;
    BUF_APPEND_LIT(out, "*5\r\n$5\r\nslave\r\n$0\r\n\r\n:0\r\n$9\r\nconnected\r\n:0\r\n");
}

/* --- the connection -------------------------------------------------------------------- */

/* A name longer than we keep is cut: it is for people. */
static void
rename_session(struct session *s, struct span name)
{
    size_t n = name.n < sizeof(s->name) ? name.n : sizeof(s->name) - 1;

    memcpy(s->name, name.p, n);
    s->name[n] = '\0';
}

void
resp_answer_hello(struct buf *out, const struct command *c, const struct reply *r)
{
    struct session *s = r->session;

    if (c->flags != 0)
        s->resp3 = c->flags == 3;
    if (c->nargs > 0)
        rename_session(s, c->args[0]);
    resp_put_map(out, s, 7);
    resp_put_bulk(out, SPAN("server"));
    resp_put_bulk(out, SPAN("redis"));
    resp_put_bulk(out, SPAN("version"));
    resp_put_bulk(out, SPAN(RESP_REDIS_VERSION));
    resp_put_bulk(out, SPAN("proto"));
    resp_put_integer(out, s->resp3 ? 3 : 2);
    resp_put_bulk(out, SPAN("id"));
    resp_put_integer(out, (long long)s->id);
    resp_put_bulk(out, SPAN("mode"));
    resp_put_bulk(out, SPAN("standalone"));
    resp_put_bulk(out, SPAN("role"));
    resp_put_bulk(out, SPAN("replica"));
    resp_put_bulk(out, SPAN("modules"));
    resp_put_array(out, 0);
}

void
resp_answer_reset(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    r->session->resp3 = 0;
    r->session->name[0] = '\0';
    BUF_APPEND_LIT(out, "+RESET\r\n");
}

void
resp_answer_client_id(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    resp_put_integer(out, (long long)r->session->id);
}

void
resp_answer_client_name(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)c;
    if (r->session->name[0] == '\0')
        resp_put_nil(out, r->session);
    else
        resp_put_bulk(out, span_str(r->session->name));
}

void
resp_answer_client_rename(struct buf *out, const struct command *c, const struct reply *r)
{
    rename_session(r->session, c->args[0]);
    resp_put_ok(out);
}

/* Libraries want every one of these figures to be there; what is not known here is 0. */
void
resp_answer_client_info(struct buf *out, const struct command *c, const struct reply *r)
{
    char line[384 + SESSION_NAME_MAX];
    int n = snprintf(line, sizeof(line),
                     "id=%llu addr= laddr= fd=0 name=%s age=0 idle=0 flags=N db=0 sub=0 "
                     "psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 "
                     "rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=%s "
                     "user=default redir=-1 resp=%d\n",
                     (unsigned long long)r->session->id, r->session->name, c->error_text,
                     r->session->resp3 ? 3 : 2);

    resp_put_verbatim(out, r->session, span_of(line, (size_t)n));
}

void
resp_answer_client_redirect(struct buf *out, const struct command *c,
                            const struct reply *r)
{
    (void)c;
    (void)r;
    resp_put_integer(out, -1);
}

/* --- CONFIG ------------------------------------------------------------------------------ */

/* What redis-benchmark, libraries and dashboards look at. */
static const struct {
    const char *name;
    const char *value; /* NULL: the number of connections */
} parameters[] = {
    { "appendonly", "no" },         { "databases", "1" },
    { "maxclients", NULL },         { "maxmemory", "0" },
    { "replica-read-only", "yes" }, { "save", "" },
    { "slave-read-only", "yes" },   { "timeout", "0" },
};

/* Does one of the patterns, globs in any case, mean this parameter? */
static bool
is_asked(const struct command *c, const char *name)
{
    char pattern[64];
    size_t i;

    for (i = 0; i < c->nargs; i++) {
        if (c->args[i].n >= sizeof(pattern))
            continue;
        memcpy(pattern, c->args[i].p, c->args[i].n);
        pattern[c->args[i].n] = '\0';
        if (fnmatch(pattern, name, FNM_CASEFOLD) == 0)
            return true;
    }
    return false;
}

void
resp_answer_config_get(struct buf *out, const struct command *c, const struct reply *r)
{
    char number[32];
    size_t n = 0, i;

    for (i = 0; i < ARRAY_LEN(parameters); i++)
        n += is_asked(c, parameters[i].name);
    resp_put_map(out, r->session, n);
    snprintf(number, sizeof(number), "%zu", r->max_connections);
    for (i = 0; i < ARRAY_LEN(parameters); i++) {
        if (!is_asked(c, parameters[i].name))
            continue;
        resp_put_bulk(out, span_str(parameters[i].name));
        resp_put_bulk(out, span_str(parameters[i].value == NULL ? number
                                                                : parameters[i].value));
    }
}
