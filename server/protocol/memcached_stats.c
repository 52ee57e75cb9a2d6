/*
 * memcached_stats.c - the subjects of stats that memcached has.
 *
 * The general figures are printed from the scoreboard, in the native dialect, because a
 * tag may stand in front of them.  The subjects here speak of a store that fetchd has
 * not in that form; they are there for programs that ask for them all and for the few numbers
 * those look for.
 */
#include "server/protocol/memcached.h"

#include "server/cache/cache.h"

static const struct {
    const char *name;
    const char *answer;
} subjects[] = {
    { "items", "END\r\n" },
    { "slabs", "STAT active_slabs 0\r\nSTAT total_malloced 0\r\nEND\r\n" },
    { "sizes", "STAT sizes_status disabled\r\nEND\r\n" },
    { "conns", "END\r\n" },
    /* Counters only grow: programs that watch them subtract. */
    { "reset", "RESET\r\n" },
};

static void
answer_subject(struct buf *out, const struct command *c, const struct reply *r)
{
    (void)r;
    buf_append_span(out, span_str(subjects[c->verb].answer));
}

static void
answer_settings(struct buf *out, const struct command *c, const struct reply *r)
{
    struct cache_stats cache = { .bytes_max = 0 };

    (void)c;
    if (r->cache != NULL)
        cache_stats(r->cache, &cache);
    BUF_APPEND_LIT(out, "STAT maxbytes ");
    buf_append_u64(out, cache.bytes_max);
    BUF_APPEND_LIT(out, "\r\nSTAT maxconns ");
    buf_append_u64(out, r->max_connections);
    BUF_APPEND_LIT(out, "\r\nSTAT evictions on\r\n"
                        "STAT shutdown_command no\r\n"
                        "STAT cas_enabled yes\r\n"
                        "STAT binding_protocol ascii\r\n"
                        "STAT auth_enabled_sasl no\r\n"
                        "STAT auth_enabled_ascii no\r\n"
                        "STAT lru_crawler no\r\n"
                        "STAT flush_enabled yes\r\n"
                        "STAT dump_enabled no\r\n"
                        "STAT lru_maintainer_thread no\r\n"
                        "END\r\n");
}

/* The subject named 'word' as a command; false: there is none. */
static bool
take_subject(struct span word, struct command *out)
{
    size_t i;

    if (span_equal(word, SPAN("settings"))) {
        out->answer = answer_settings;
        return true;
    }
    for (i = 0; i < ARRAY_LEN(subjects); i++) {
        if (span_equal(word, span_str(subjects[i].name))) {
            out->answer = answer_subject;
            out->verb = (unsigned)i;
            return true;
        }
    }
    return false;
}

void
memcached_arguments_stats(struct parser *p, struct session *s, struct span rest,
                          struct command *out)
{
    struct span word;

    (void)p;
    (void)s;
    if (!text_next_word(&rest, &word))
        return;
    if (span_equal(word, SPAN("workers")))
        out->kind = COMMAND_STATS_WORKERS;
    else if (!take_subject(word, out))
        command_refuse(out, COMMAND_ERROR_UNKNOWN, "");
    else if (out->tag_len > 0)
        command_refuse(out, COMMAND_ERROR_SYNTAX, "this subject takes no tag");
    else
        out->kind = COMMAND_LOCAL;
}
