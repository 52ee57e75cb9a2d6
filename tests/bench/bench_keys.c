/*
 * bench_keys.c - what an id costs on its way in.  Run by hand: build/bench/bench_keys
 *
 * A line of ids becomes words, words become ids of a column, ids become the cache's keys:
 * no sockets, no lookups.  Pin it (taskset -c 1); the smallest of many rounds is told.
 */
#include "server/cache/cache.h"
#include "server/protocol/protocol.h"
#include "server/source/key.h"
#include "tests/bench/bench.h"
#include "tests/random.h"

#include <stdlib.h>

#define ROUNDS 2000
#define SOURCE 7

struct bench {
    const struct protocol *protocol;
    struct parser parser;
    struct cache *cache;
    struct buf line;
    struct command command;
    uint64_t random;
    size_t good; /* ids of the last round that the column may hold */
};

/* "<verb> <prefix><number> ..." with 'n' ids of 'digits' digits. */
static void
make_line(struct bench *b, const char *verb, const char *prefix, size_t n, size_t digits)
{
    size_t i, k;

    buf_clear(&b->line);
    buf_append_fmt(&b->line, "%s", verb);
    for (i = 0; i < n; i++) {
        buf_append_fmt(&b->line, " %s%u", prefix,
                       (unsigned)(random_next(&b->random) % 9 + 1));
        for (k = 1; k < digits; k++)
            buf_append_char(&b->line, (char)('0' + random_next(&b->random) % 10));
    }
    buf_append_fmt(&b->line, "\r\n");
}

/* The same as an array of bulk strings. */
static void
make_array(struct bench *b, size_t n)
{
    size_t i;

    buf_clear(&b->line);
    buf_append_fmt(&b->line, "*%zu\r\n$4\r\nMGET\r\n", n + 1);
    for (i = 0; i < n; i++)
        buf_append_fmt(&b->line, "$7\r\n%u\r\n",
                       (unsigned)(random_next(&b->random) % 9000000 + 1000000));
}

static void
parse(struct bench *b)
{
    struct session session = { .scanned = 0 };
    size_t consumed;

    if (b->protocol->parse(&b->parser, &session, buf_span(&b->line), &consumed,
                           &b->command) != PARSE_COMMAND)
        abort();
}

static void
canonical(struct bench *b)
{
    const struct key_type type = { .kind = KEY_INTEGER, .bits = 32, .is_unsigned = true };
    struct cache_key key;
    char id[SOURCE_KEY_MAX];
    size_t i, n;

    b->good = 0;
    for (i = 0; i < b->command.nkeys; i++) {
        if (key_canonical(&type, b->command.keys[i], id, &n) != SOURCE_KEY_OK)
            continue;
        cache_key(b->cache, SOURCE, span_of(id, n), &key);
        b->good += key.line != NULL;
    }
}

static double
best(struct bench *b, void (*step)(struct bench *b))
{
    double least = 1e9, since;
    size_t i;

    for (i = 0; i < ROUNDS; i++) {
        since = bench_cpu_ns();
        step(b);
        since = bench_cpu_ns() - since;
        least = since < least ? since : least;
    }
    return least / (double)b->command.nkeys;
}

static void
measure(struct bench *b, const char *what)
{
    double parsed = best(b, parse);
    double made = best(b, canonical);

    printf("%-34s %5zu ids: a word %5.1f ns, a key %5.1f ns; %zu are ids\n", what,
           b->command.nkeys, parsed, made, b->good);
}

int
main(void)
{
    const struct protocol_limits limits = { (size_t)4 << 20, 10000 };
    struct bench b = { .random = 88172645463325252u, .protocol = &protocol_text };

    parser_init(&b.parser, &limits);
    b.cache = cache_new((size_t)16 << 20, 8);
    if (b.cache == NULL)
        return 1;
    make_line(&b, "fetch", "", 100, 7);
    measure(&b, "fetch, 7 digits");
    make_line(&b, "get", "", 100, 7);
    measure(&b, "get, 7 digits");
    make_line(&b, "fetch", "", 5000, 7);
    measure(&b, "fetch, 7 digits");
    make_line(&b, "fetch", "x", 5000, 5);
    measure(&b, "fetch, a letter before 5 digits");
    make_line(&b, "fetch", "", 5000, 200);
    measure(&b, "fetch, 200 digits");
    b.protocol = &protocol_resp;
    make_array(&b, 100);
    measure(&b, "MGET, 7 digits");
    make_array(&b, 5000);
    measure(&b, "MGET, 7 digits");
    cache_free(&b.cache);
    parser_fini(&b.parser);
    buf_fini(&b.line);
    return 0;
}
