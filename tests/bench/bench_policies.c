/*
 * bench_policies.c - whom to evict.  Run by hand: build/bench/bench_policies
 *
 * Plays traces against policies of the same size in bytes and against the store itself,
 * and prints their hit ratios.  Perfect LFU knows how popular each item really is and
 * keeps the most popular ones that fit; the policies pay for no overhead at all, the
 * store pays for its heads, its index and its rounding out of the same bytes ("store"),
 * or is given as much more as lets its entries take the bytes that the others have
 * ("store, net").
 */
#include "server/cache/cache.h"
#include "tests/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 200000u
#define SCANNED 20000000u /* ids of a scan begin behind those of the items */
#define REQUESTS 6000000u
#define WARM 3000000u
#define NONE UINT32_MAX
#define SOURCE 3

/* --- traces --- */

struct trace {
    double cumulative[ITEMS];
    uint32_t rank_to_id[ITEMS];
    uint64_t random;
    unsigned scan_percent;
    uint32_t scan;
};

static void
trace_init(struct trace *t, double exponent, unsigned scan_percent)
{
    double sum = 0;
    uint32_t i, k, id;

    t->random = 88172645463325252u;
    t->scan_percent = scan_percent;
    t->scan = 0;
    for (i = 0; i < ITEMS; i++) {
        sum += 1 / pow(i + 1, exponent);
        t->cumulative[i] = sum;
        t->rank_to_id[i] = i;
    }
    for (i = ITEMS - 1; i > 0; i--) {
        k = (uint32_t)(random_next(&t->random) % (i + 1));
        id = t->rank_to_id[i];
        t->rank_to_id[i] = t->rank_to_id[k];
        t->rank_to_id[k] = id;
    }
}

/* An id; *scanned: it belongs to a scan, and nobody counts whether it is hit. */
static uint32_t
trace_next(struct trace *t, bool *scanned)
{
    double at;
    uint32_t low = 0, high = ITEMS - 1, mid;

    *scanned = random_next(&t->random) % 100 < t->scan_percent;
    if (*scanned)
        return SCANNED + t->scan++;
    at = (double)(random_next(&t->random) >> 11) / 9007199254740992.0 *
         t->cumulative[ITEMS - 1];
    while (low < high) {
        mid = (low + high) / 2;
        if (t->cumulative[mid] < at)
            low = mid + 1;
        else
            high = mid;
    }
    return t->rank_to_id[low];
}

/* 200 to 600 bytes, by the id alone. */
static uint32_t
item_bytes(uint32_t id)
{
    return 200 + (id * 2654435761u >> 8) % 401;
}

/* --- lists of ids, for the policies --- */

#define NODES (SCANNED + REQUESTS)

enum where {
    NOWHERE,
    QUEUE_A, /* the only one; S3-FIFO: small */
    QUEUE_B, /* S3-FIFO: main */
    GHOST,
};

struct node {
    uint32_t newer;
    uint32_t older;
    uint8_t where;
    uint8_t visits;
};

struct queue {
    uint32_t newest;
    uint32_t oldest;
    uint64_t bytes;
};

struct policy {
    struct node *nodes;
    struct queue queues[GHOST + 1];
    uint64_t capacity;
    uint32_t hand;
};

static void
queue_push(struct policy *p, enum where where, uint32_t id)
{
    struct queue *q = &p->queues[where];
    struct node *n = &p->nodes[id];

    n->where = (uint8_t)where;
    n->older = q->newest;
    n->newer = NONE;
    if (q->newest != NONE)
        p->nodes[q->newest].newer = id;
    else
        q->oldest = id;
    q->newest = id;
    q->bytes += item_bytes(id);
}

static void
queue_remove(struct policy *p, uint32_t id)
{
    struct node *n = &p->nodes[id];
    struct queue *q = &p->queues[n->where];

    if (n->newer != NONE)
        p->nodes[n->newer].older = n->older;
    else
        q->newest = n->older;
    if (n->older != NONE)
        p->nodes[n->older].newer = n->newer;
    else
        q->oldest = n->newer;
    q->bytes -= item_bytes(id);
    n->where = NOWHERE;
}

static uint64_t
policy_bytes(const struct policy *p)
{
    return p->queues[QUEUE_A].bytes + p->queues[QUEUE_B].bytes;
}

typedef bool access_fn(struct policy *p, uint32_t id);

static bool
lru_access(struct policy *p, uint32_t id)
{
    bool hit = p->nodes[id].where == QUEUE_A;

    if (hit)
        queue_remove(p, id);
    queue_push(p, QUEUE_A, id);
    while (policy_bytes(p) > p->capacity)
        queue_remove(p, p->queues[QUEUE_A].oldest);
    return hit;
}

static bool
clock_access(struct policy *p, uint32_t id)
{
    uint32_t victim;

    if (p->nodes[id].where == QUEUE_A) {
        p->nodes[id].visits = 1;
        return true;
    }
    p->nodes[id].visits = 0;
    queue_push(p, QUEUE_A, id);
    while (policy_bytes(p) > p->capacity) {
        victim = p->queues[QUEUE_A].oldest;
        queue_remove(p, victim);
        if (p->nodes[victim].visits > 0) {
            p->nodes[victim].visits = 0;
            queue_push(p, QUEUE_A, victim);
        }
    }
    return false;
}

static bool
sieve_access(struct policy *p, uint32_t id)
{
    uint32_t next;

    if (p->nodes[id].where == QUEUE_A) {
        p->nodes[id].visits = 1;
        return true;
    }
    p->nodes[id].visits = 0;
    queue_push(p, QUEUE_A, id);
    while (policy_bytes(p) > p->capacity) {
        if (p->hand == NONE)
            p->hand = p->queues[QUEUE_A].oldest;
        next = p->nodes[p->hand].newer;
        if (p->nodes[p->hand].visits > 0)
            p->nodes[p->hand].visits = 0;
        else
            queue_remove(p, p->hand);
        p->hand = next;
    }
    return false;
}

/* The oldest of the small queue goes on to the main one, or away and is remembered. */
static void
s3fifo_evict_small(struct policy *p)
{
    uint32_t victim = p->queues[QUEUE_A].oldest;

    queue_remove(p, victim);
    if (p->nodes[victim].visits > 0) {
        p->nodes[victim].visits = 0;
        queue_push(p, QUEUE_B, victim);
        return;
    }
    queue_push(p, GHOST, victim);
    while (p->queues[GHOST].bytes > p->capacity)
        queue_remove(p, p->queues[GHOST].oldest);
}

static void
s3fifo_evict_main(struct policy *p)
{
    uint32_t victim = p->queues[QUEUE_B].oldest;

    queue_remove(p, victim);
    if (p->nodes[victim].visits > 0) {
        p->nodes[victim].visits--;
        queue_push(p, QUEUE_B, victim);
    }
}

static bool
s3fifo_access(struct policy *p, uint32_t id)
{
    struct node *n = &p->nodes[id];
    bool ghost = n->where == GHOST;

    if (n->where == QUEUE_A || n->where == QUEUE_B) {
        n->visits += n->visits < 3;
        return true;
    }
    n->visits = 0;
    if (ghost)
        queue_remove(p, id);
    queue_push(p, ghost ? QUEUE_B : QUEUE_A, id);
    while (policy_bytes(p) > p->capacity) {
        if (p->queues[QUEUE_A].bytes > p->capacity / 10 ||
            p->queues[QUEUE_B].oldest == NONE)
            s3fifo_evict_small(p);
        else
            s3fifo_evict_main(p);
    }
    return false;
}

/* --- playing --- */

static double
play_policy(struct trace *t, access_fn *access, uint64_t capacity)
{
    struct policy p = { .capacity = capacity, .hand = NONE };
    uint32_t i, id, hits = 0, asked = 0;
    bool scanned, hit;

    p.nodes = calloc(NODES, sizeof(*p.nodes));
    for (i = 0; i <= GHOST; i++)
        p.queues[i] = (struct queue){ NONE, NONE, 0 };
    for (i = 0; i < REQUESTS; i++) {
        id = trace_next(t, &scanned);
        hit = access(&p, id);
        asked += i >= WARM && !scanned;
        hits += i >= WARM && !scanned && hit;
    }
    free(p.nodes);
    return 100.0 * hits / asked;
}

static double
play_lfu(const struct trace *t, uint64_t capacity)
{
    uint64_t bytes = 0;
    uint32_t i;

    for (i = 0; i < ITEMS; i++) {
        bytes += item_bytes(t->rank_to_id[i]);
        if (bytes > capacity)
            break;
    }
    return 100 * t->cumulative[i - 1] / t->cumulative[ITEMS - 1];
}

static double
play_store(struct trace *t, uint64_t capacity, struct cache_stats *stats)
{
    static char item[1024];
    struct cache *c = cache_new(capacity, 8);
    struct cache_hit hit = { 0 };
    struct buf out = BUF_INIT;
    struct cache_key key;
    uint32_t i, id, hits = 0, asked = 0;
    bool scanned, found;
    char text[16];

    if (c == NULL)
        exit(1);
    cache_join(c, 0);
    for (i = 0; i < REQUESTS; i++) {
        id = trace_next(t, &scanned);
        cache_key(c, SOURCE, span_of(text, (size_t)snprintf(text, 16, "%u", id)), &key);
        buf_clear(&out);
        found = cache_get(c, &key, &out, &hit) == CACHE_FOUND;
        if (!found)
            cache_put_found(c, &key, i + 1, span_of(item, item_bytes(id)), 0, SPAN(""));
        asked += i >= WARM && !scanned;
        hits += i >= WARM && !scanned && found;
    }
    cache_stats(c, stats);
    buf_fini(&out);
    cache_free(&c);
    return 100.0 * hits / asked;
}

int
main(void)
{
    static const struct {
        const char *name;
        access_fn *access;
    } policies[] = { { "LRU", lru_access },
                     { "CLOCK", clock_access },
                     { "SIEVE", sieve_access },
                     { "S3-FIFO", s3fifo_access } };
    static const unsigned scans[] = { 0, 20, 50 };
    static struct trace t;
    struct cache_stats stats;
    uint64_t capacity = 0;
    size_t s, i;
    double lfu, ratio;

    for (i = 0; i < ITEMS; i++)
        capacity += item_bytes((uint32_t)i);
    capacity /= 10;
    printf("%u items, Zipf 0.99, room for a tenth of the bytes; hit ratios in %%, and "
           "points below perfect LFU\n",
           ITEMS);
    for (s = 0; s < sizeof(scans) / sizeof(scans[0]); s++) {
        trace_init(&t, 0.99, scans[s]);
        lfu = play_lfu(&t, capacity);
        printf("%u %% of the requests are a scan\n  %-12s %6.2f\n", scans[s],
               "perfect LFU", lfu);
        for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
            trace_init(&t, 0.99, scans[s]);
            ratio = play_policy(&t, policies[i].access, capacity);
            printf("  %-12s %6.2f  -%.2f\n", policies[i].name, ratio, lfu - ratio);
        }
        trace_init(&t, 0.99, scans[s]);
        ratio = play_store(&t, capacity, &stats);
        printf("  %-12s %6.2f  -%.2f  (%llu entries)\n", "store", ratio, lfu - ratio,
               (unsigned long long)stats.entries);
        trace_init(&t, 0.99, scans[s]);
        ratio = play_store(&t, capacity * 100 / 79, &stats);
        printf("  %-12s %6.2f  -%.2f  (%llu entries)\n", "store, net", ratio, lfu - ratio,
               (unsigned long long)stats.entries);
        fflush(stdout);
    }
    return 0;
}
