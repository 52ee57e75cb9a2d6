/*
 * bench_project.c - what a projected hit costs, with marks and by the walk.
 * Run by hand: build/bench/bench_project [items [bytes [fields]]]
 *
 * Two fields of each item, as a dialect shows them.  The three ways take turns, a thousand
 * random ids each, so that the machine's noise meets all of them; pin it (taskset -c 1).
 */
#include "server/cache/cache.h"
#include "server/item/marks.h"
#include "server/item/project.h"
#include "tests/bench/bench.h"
#include "tests/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 100
#define CHUNK 1000
#define ROUNDS 1000
#define SOURCE 7

enum way {
    WAY_WHOLE, /* nothing is projected */
    WAY_WALK,
    WAY_MARKS,
    WAYS,
};

static const char *const way_names[WAYS] = {
    [WAY_WHOLE] = "whole item",
    [WAY_WALK] = "two fields, walk",
    [WAY_MARKS] = "two fields, marks",
};

struct bench {
    struct cache *cache;
    size_t items;
    size_t nfields;
    struct buf hits;
    struct buf out;
    uint64_t random;
    struct span fields[2];
    double ns[WAYS][ROUNDS];
};

/* One item of about 'bytes' bytes: numbers, texts, and a null now and then. */
static void
make_item(struct buf *item, size_t n, size_t fields, size_t bytes)
{
    size_t text = 2 * bytes / fields > 24 ? 2 * bytes / fields - 24 : 1, i;

    buf_clear(item);
    for (i = 0; i < fields; i++) {
        buf_append_fmt(item, "%c\"field_%zu\":", i == 0 ? '{' : ',', i);
        if (i % 2 == 0)
            buf_append_fmt(item, "%zu", n);
        else
            buf_append_fmt(item, "\"%.*s\"", (int)text,
                           "the quick brown fox jumps over the lazy dog; the quick brown "
                           "fox jumps over the lazy dog, the quick brown fox jumps over");
    }
    buf_append_char(item, '}');
}

static size_t
fill(struct bench *b, size_t bytes)
{
    struct buf item = BUF_INIT;
    char id[16], marks[CACHE_MARKS_MAX];
    struct cache_key key;
    size_t i, size;

    for (i = 0; i < b->items; i++) {
        make_item(&item, i, b->nfields, bytes);
        cache_key(b->cache, SOURCE, span_of(id, bench_id(id, i)), &key);
        cache_put_found(b->cache, &key, 1 + i, buf_span(&item), 0,
                        span_of(marks,
                                marks_make(buf_span(&item), marks, sizeof(marks))));
    }
    size = buf_size(&item);
    buf_fini(&item);
    return size;
}

static void
answer(struct bench *b, const struct cache_key *key, enum way way)
{
    struct cache_hit hit = { .with_marks = way == WAY_MARKS };
    struct json_object item;

    buf_clear(&b->hits);
    if (cache_get(b->cache, key, &b->hits, &hit) != CACHE_FOUND)
        abort();
    item.json = span_of(b->hits.data, hit.len);
    item.marks = span_of(b->hits.data + hit.len, hit.nmarks);
    if (way == WAY_WHOLE)
        buf_append_span(&b->out, item.json);
    else
        json_project(&b->out, item, b->fields, 2);
}

/* The time that one of a thousand random ids takes. */
static double
run(struct bench *b, enum way way)
{
    static char ids[CHUNK][16];
    static struct cache_key keys[BATCH];
    static size_t len[CHUNK];
    size_t at, k;
    double since;

    for (k = 0; k < CHUNK; k++) {
        len[k] = bench_id(ids[k], random_next(&b->random) % b->items);
    }
    since = bench_cpu_ns();
    for (at = 0; at < CHUNK; at += BATCH) {
        buf_clear(&b->out);
        for (k = 0; k < BATCH; k++)
            cache_key(b->cache, SOURCE, span_of(ids[at + k], len[at + k]), &keys[k]);
        for (k = 0; k < BATCH; k++)
            cache_approach(&keys[k]);
        for (k = 0; k < BATCH; k++)
            cache_prefetch(b->cache, &keys[k]);
        for (k = 0; k < BATCH; k++)
            answer(b, &keys[k], way);
    }
    return (bench_cpu_ns() - since) / CHUNK;
}

/* What storing an item costs more. */
static void
time_marks(const struct bench *b, size_t bytes)
{
    struct buf item = BUF_INIT;
    char marks[CACHE_MARKS_MAX];
    size_t i, n = 0;
    double since;

    make_item(&item, 7, b->nfields, bytes);
    since = bench_cpu_ns();
    for (i = 0; i < ROUNDS * 100; i++)
        n += marks_make(buf_span(&item), marks, sizeof(marks));
    printf("%-20s %6.1f ns an item, %zu bytes\n", "marks made",
           (bench_cpu_ns() - since) / (ROUNDS * 100), n / (ROUNDS * 100));
    buf_fini(&item);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double
median(double ns[ROUNDS])
{
    qsort(ns, ROUNDS, sizeof(ns[0]), compare);
    return ns[ROUNDS / 2];
}

int
main(int argc, char **argv)
{
    static struct bench b = { .random = 1 };
    size_t bytes, round, way;
    char last[32];
    double ns[WAYS];

    b.items = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 400;
    b.nfields = argc > 3 ? strtoul(argv[3], NULL, 10) : 10;
    b.cache = cache_new(b.items * (2 * bytes + 500), 8);
    if (b.cache == NULL || b.nfields == 0)
        return 1;
    cache_join(b.cache, 0);
    snprintf(last, sizeof(last), "field_%zu", b.nfields - b.nfields / 3);
    b.fields[0] = SPAN("field_1");
    b.fields[1] = span_str(last);
    printf("%zu items of %zu bytes, field_1 and %s of %zu\n", b.items, fill(&b, bytes),
           last, b.nfields);
    time_marks(&b, bytes);
    for (round = 0; round < ROUNDS; round++) {
        for (way = 0; way < WAYS; way++)
            b.ns[way][round] = run(&b, (enum way)way);
    }
    for (way = 0; way < WAYS; way++) {
        ns[way] = median(b.ns[way]);
        printf("%-20s %6.1f ns an item, %.2f of a walk\n", way_names[way], ns[way],
               ns[way] / median(b.ns[WAY_WALK]));
    }
    cache_free(&b.cache);
    buf_fini(&b.hits);
    buf_fini(&b.out);
    return 0;
}
