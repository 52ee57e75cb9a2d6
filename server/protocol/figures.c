/*
 * figures.c - what "stats" says, for every dialect.
 */
#include "server/protocol/figures.h"

#include "server/cache/cache.h"
#include "server/stats/scoreboard.h"

static void
print_stat(struct buf *out, const char *name, uint64_t value)
{
    BUF_APPEND_LIT(out, "STAT ");
    buf_append_span(out, span_str(name));
    buf_append_char(out, ' ');
    buf_append_u64(out, value);
    BUF_APPEND_LIT(out, "\r\n");
}

/* The first five under the names that memcached has for them. */
static void
print_cache(const struct reply *r, struct buf *out)
{
    struct cache_stats s = { .bytes_max = 0 };
    usec_t oldest = 0;

    if (r->cache != NULL)
        cache_stats(r->cache, &s);
    if (s.oldest_at != 0 && r->now > s.oldest_at)
        oldest = (r->now - s.oldest_at) / USEC_PER_MSEC;
    print_stat(out, "curr_items", s.entries);
    print_stat(out, "total_items", s.stored);
    print_stat(out, "bytes", s.bytes);
    print_stat(out, "limit_maxbytes", s.bytes_max);
    print_stat(out, "evictions", s.evictions);
    print_stat(out, "cache_not_stored", s.not_stored);
    print_stat(out, "cache_refused", s.refused);
    print_stat(out, "cache_wiped", s.wiped);
    print_stat(out, "cache_next_evicted_ms", oldest);
}

void
figures_print(const struct reply *r, struct buf *out)
{
    scoreboard_print_stats(r->board, r->now, out);
    print_cache(r, out);
}
