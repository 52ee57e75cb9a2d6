/*
 * bench_cache.c - what a hit costs.  Run by hand: build/bench/bench_cache [items [bytes]]
 *
 * Uniform over all items, everything warm, in one process: the store alone, no sockets.
 * Pin it (taskset -c 1) and repeat; the machine's noise is larger than most changes.
 */
#include "server/cache/cache.h"
#include "tests/bench/bench.h"
#include "tests/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 100
#define CHUNK 1000
#define AHEAD 12
#define SOURCE 7
#define ROUNDS 5

struct bench {
    struct cache *cache;
    size_t items;
    size_t bytes;
    char *item;
    struct buf out;
    uint64_t random;
    size_t hits;
};

static void
fill(struct bench *b)
{
    struct cache_key key;
    char id[16];
    size_t i;

    for (i = 0; i < b->items; i++) {
        cache_key(b->cache, SOURCE, span_of(id, bench_id(id, i)), &key);
        cache_put_found(b->cache, &key, 1 + i, span_of(b->item, b->bytes + i % 64), 0,
                        SPAN(""));
    }
}

/* Asks for CHUNK random ids, a hundred at a time; returns the time an id took. */
static double
read_chunk(struct bench *b, bool prefetch)
{
    static char ids[CHUNK][16];
    static struct cache_key keys[BATCH];
    static size_t len[CHUNK];
    struct cache_hit hit = { 0 };
    size_t at, k, hits = 0;
    double since;

    for (k = 0; k < CHUNK; k++)
        len[k] = bench_id(ids[k], random_next(&b->random) % b->items);
    since = bench_cpu_ns();
    for (at = 0; at < CHUNK; at += BATCH) {
        buf_clear(&b->out);
        for (k = 0; k < BATCH; k++)
            cache_key(b->cache, SOURCE, span_of(ids[at + k], len[at + k]), &keys[k]);
        for (k = 0; prefetch && k < BATCH; k++)
            cache_approach(&keys[k]);
        for (k = 0; prefetch && k < AHEAD; k++)
            cache_prefetch(b->cache, &keys[k]);
        for (k = 0; k < BATCH; k++) {
            if (prefetch && k + AHEAD < BATCH)
                cache_prefetch(b->cache, &keys[k + AHEAD]);
            hits += cache_get(b->cache, &keys[k], &b->out, &hit) == CACHE_FOUND;
        }
    }
    b->hits += hits;
    return (bench_cpu_ns() - since) / CHUNK;
}

static void
read_all(struct bench *b, bool prefetch, const char *what)
{
    double spent = 0, best = 1e9, chunk;
    size_t i, chunks = b->items / CHUNK;

    b->hits = 0;
    for (i = 0; i < chunks; i++) {
        chunk = read_chunk(b, prefetch);
        spent += chunk;
        best = chunk < best ? chunk : best;
    }
    printf("%-28s %6.1f ns an item (best thousand %.1f), %.2f %% hits\n", what,
           spent / (double)chunks, best,
           100.0 * (double)b->hits / (double)(chunks * CHUNK));
}

static void
rewrite(struct bench *b, const char *what)
{
    struct cache_key key;
    char id[16];
    size_t i;
    double since = bench_cpu_ns();

    for (i = 0; i < b->items; i++) {
        cache_key(b->cache, SOURCE,
                  span_of(id, bench_id(id, random_next(&b->random) % b->items)), &key);
        cache_put_found(b->cache, &key, clock_now(), span_of(b->item, b->bytes), 0,
                        SPAN(""));
    }
    printf("%-28s %6.1f ns an item\n", what, (bench_cpu_ns() - since) / (double)b->items);
}

int
main(int argc, char **argv)
{
    struct bench b = { .random = 88172645463325252u };
    struct cache_stats stats;
    struct rusage use;
    usec_t made;
    double since;
    size_t round;

    b.items = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    b.bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 270;
    b.item = calloc(1, b.bytes + 64);
    made = clock_now();
    b.cache = cache_new(b.items * (b.bytes + 64 + 130), 8);
    if (b.cache == NULL || b.item == NULL)
        return 1;
    printf("region made in %" PRIu64 " us\n", clock_now() - made);
    cache_join(b.cache, 0);
    memset(b.item, 'x', b.bytes + 64);
    since = bench_cpu_ns();
    fill(&b);
    printf("%-28s %6.1f ns an item\n", "put, untouched memory",
           (bench_cpu_ns() - since) / (double)b.items);
    for (round = 0; round < ROUNDS; round++) {
        read_all(&b, false, "get");
        read_all(&b, true, "get, prefetched");
    }
    rewrite(&b, "put over what is there");
    cache_stats(b.cache, &stats);
    getrusage(RUSAGE_SELF, &use);
    printf("entries %" PRIu64 ", %.1f %% full, evictions %" PRIu64 ", %ld MiB resident\n",
           stats.entries, 100.0 * (double)stats.bytes / (double)stats.bytes_max,
           stats.evictions, use.ru_maxrss / 1024);
    cache_free(&b.cache);
    buf_fini(&b.out);
    free(b.item);
    return 0;
}
