/*
 * test_cache_threads.c - four views of one region at once, every byte checked.
 *
 * Threads instead of processes, so that the thread sanitizer sees them all:
 * make SAN=thread BUILD=build-tsan build-tsan/tests/test_cache_threads
 */
#include "tests/unit/cache_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CAPACITY 5
#define THREADS 4
#define ROUNDS 30000
#define IDS 600
#define ITEM_MOST 3000

struct user {
    struct cache *cache;
    uint64_t random;
    unsigned wrong;
    unsigned found;
    unsigned stale; /* found after this very thread had invalidated it */
};

/* Takes, finishes or waits for a lease of one of a few keys. */
static void
use_lease(struct user *u, const struct cache_key *key)
{
    usec_t now = clock_now();
    struct lease lease;

    switch (lease_take(u->cache, key, now, 5 * USEC_PER_MSEC, &lease)) {
    case LEASE_MINE:
        lease_finish(u->cache, &lease, LEASE_STORED, now);
        break;
    case LEASE_ELSEWHERE:
        u->wrong += lease_look(u->cache, &lease, now) == LEASE_ABSENT;
        break;
    case LEASE_NONE:
        break;
    }
}

static void *
use(void *arg)
{
    struct user *u = arg;
    enum cache_verdict verdict;
    struct cache_key key;
    usec_t asked_at, now;
    char text[16];
    unsigned i, id;

    for (i = 0; i < ROUNDS; i++) {
        id = fixture_random(&u->random) % IDS;
        switch (fixture_random(&u->random) % 16) {
        case 0:
            key = fixture_key(u->cache, id, text);
            now = clock_now();
            cache_invalidate(u->cache, &key, now);
            u->wrong += !fixture_get(u->cache, id, ITEM_MOST, &verdict, &asked_at);
            u->stale += verdict != CACHE_MISS && asked_at <= now;
            break;
        case 1:
        case 2:
            key = fixture_key(u->cache, id % 4, text);
            use_lease(u, &key);
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            fixture_put(u->cache, id, clock_now(), ITEM_MOST);
            break;
        default:
            u->wrong += !fixture_get(u->cache, id, ITEM_MOST, &verdict, &asked_at);
            u->found += verdict != CACHE_MISS;
            break;
        }
    }
    return NULL;
}

static void
cache_of_four_at_once_gives_nobody_a_wrong_byte(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct user users[THREADS];
    pthread_t threads[THREADS];
    struct cache_stats stats;
    size_t i;

    (void)state;
    for (i = 0; i < THREADS; i++) {
        users[i] = (struct user){ .cache = fixture_view(c, CACHE_BYTES_MIN, CAPACITY, i),
                                  .random = i + 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    cache_stats(c, &stats);
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(users[i].wrong, 0);
        assert_int_equal(users[i].stale, 0);
        assert_true(users[i].found > 0);
        cache_free(&users[i].cache);
    }
    assert_int_equal(stats.wiped, 0);
    assert_true(stats.evictions > 0);
    cache_free(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_of_four_at_once_gives_nobody_a_wrong_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
