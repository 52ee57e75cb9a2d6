/*
 * resp_info.c - RESP: INFO, the figures of all workers in Redis' format.
 *
 *     # Section CRLF name:value CRLF ... CRLF
 *
 * Two kinds of sections: those that clients and dashboards of Redis look for, under the
 * names they know; and "Fetchd", which is everything that "stats" says.  Both come from
 * the scoreboard's own text, so the two dialects cannot tell different stories.
 */
#include "server/protocol/resp.h"

#include "server/protocol/figures.h"

/* One line: a figure of "stats" under Redis' name, or always the same. */
struct info_line {
    const char *name;
    const char *stat;  /* NULL: 'fixed' */
    const char *fixed; /* NULL too: the number of connections allowed */
};

/* clang-format off */
static const struct info_line server_lines[] = {
    { "redis_version",             NULL,                   RESP_REDIS_VERSION },
    { "redis_mode",                NULL,                   "standalone" },
    { "fetchd_version",            "version",              NULL },
    { "process_id",                "pid",                  NULL },
    { "uptime_in_seconds",         "uptime",               NULL },
};

static const struct info_line clients_lines[] = {
    { "connected_clients",         "curr_connections",     NULL },
    { "maxclients",                NULL,                   NULL },
    { "blocked_clients",           NULL,                   "0" },
};

static const struct info_line memory_lines[] = {
    { "used_memory",               "bytes",                NULL },
    { "maxmemory",                 "limit_maxbytes",       NULL },
};

/* Clients read these as promises: nothing is ever loaded or saved. */
static const struct info_line persistence_lines[] = {
    { "loading",                   NULL,                   "0" },
    { "rdb_bgsave_in_progress",    NULL,                   "0" },
    { "aof_enabled",               NULL,                   "0" },
};

static const struct info_line stats_lines[] = {
    { "total_connections_received", "total_connections",   NULL },
    { "total_commands_processed",  "commands",             NULL },
    { "total_net_input_bytes",     "bytes_read",           NULL },
    { "total_net_output_bytes",    "bytes_written",        NULL },
    { "rejected_connections",      "rejected_connections", NULL },
    { "expired_keys",              NULL,                   "0" },
    { "evicted_keys",              "evictions",            NULL },
    { "keyspace_hits",             "items",                NULL },
    { "keyspace_misses",           "misses",               NULL },
    { "total_error_replies",       "protocol_errors",      NULL },
};

static const struct info_line replication_lines[] = {
    { "role",                      NULL,                   "slave" },
    { "master_link_status",        NULL,                   "up" },
    { "master_sync_in_progress",   NULL,                   "0" },
    { "slave_read_only",           NULL,                   "1" },
    { "connected_slaves",          NULL,                   "0" },
};
/* clang-format on */

#define LINES(name) name##_lines, ARRAY_LEN(name##_lines)

static const struct info_section {
    const char *name;
    const struct info_line *lines; /* NULL: everything that "stats" says */
    size_t n;
} sections[] = {
    { "Server", LINES(server) }, { "Clients", LINES(clients) },
    { "Memory", LINES(memory) }, { "Persistence", LINES(persistence) },
    { "Stats", LINES(stats) },   { "Replication", LINES(replication) },
    { "Fetchd", NULL, 0 },
};

/* Takes "STAT name value" off the front of 'text'. */
static bool
next_stat(struct span *text, struct span *name, struct span *value)
{
    const char *end = text->n == 0 ? NULL : memchr(text->p, '\r', text->n);
    struct span line, word = SPAN("STAT ");
    const char *blank;

    if (end == NULL)
        return false;
    line = span_of(text->p + word.n, (size_t)(end - text->p) - word.n);
    *text = span_of(end + 2, text->n - (size_t)(end + 2 - text->p));
    if ((blank = memchr(line.p, ' ', line.n)) == NULL)
        return false;
    *name = span_of(line.p, (size_t)(blank - line.p));
    *value = span_of(blank + 1, line.n - name->n - 1);
    return true;
}

static struct span
find_stat(struct span text, const char *wanted)
{
    struct span name, value;

    while (next_stat(&text, &name, &value)) {
        if (span_equal(name, span_str(wanted)))
            return value;
    }
    return SPAN("0");
}

static void
put_line(struct buf *out, struct span name, struct span value)
{
    buf_append_span(out, name);
    buf_append_char(out, ':');
    buf_append_span(out, value);
    BUF_APPEND_LIT(out, "\r\n");
}

static void
put_section(struct buf *out, const struct info_section *section, struct span stats,
            const struct reply *r)
{
    struct span name, value;
    size_t i;

    buf_append_fmt(out, "%s# %s\r\n", buf_size(out) > 0 ? "\r\n" : "", section->name);
    while (section->lines == NULL && next_stat(&stats, &name, &value))
        put_line(out, name, value);
    for (i = 0; i < section->n; i++) {
        const struct info_line *line = &section->lines[i];

        if (line->stat != NULL)
            put_line(out, span_str(line->name), find_stat(stats, line->stat));
        else if (line->fixed != NULL)
            put_line(out, span_str(line->name), span_str(line->fixed));
        else
            buf_append_fmt(out, "%s:%zu\r\n", line->name, r->max_connections);
    }
}

static bool
is_asked(const struct command *c, const char *section)
{
    size_t i;

    for (i = 0; i < c->nargs; i++) {
        if (resp_is(c->args[i], "all") || resp_is(c->args[i], "default") ||
            resp_is(c->args[i], "everything") || resp_is(c->args[i], section))
            return true;
    }
    return c->nargs == 0;
}

void
resp_answer_info(struct buf *out, const struct command *c, const struct reply *r)
{
    struct buf stats = BUF_INIT, text = BUF_INIT;
    size_t i;

    figures_print(r, &stats);
    for (i = 0; i < ARRAY_LEN(sections); i++) {
        if (is_asked(c, sections[i].name))
            put_section(&text, &sections[i], buf_span(&stats), r);
    }
    resp_put_verbatim(out, r->session, buf_span(&text));
    out->failed |= buf_failed(&stats) || buf_failed(&text);
    buf_fini(&stats);
    buf_fini(&text);
}
