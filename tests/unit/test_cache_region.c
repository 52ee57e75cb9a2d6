/*
 * test_cache_region.c - a region is sealed, kept, refused, and mostly made of items.
 */
#include "server/cache/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SOURCE 0x1234567890abcdefu
#define CAPACITY 5

struct bench {
    struct cache *cache;
    struct buf out;
    struct cache_hit hit;
    uint32_t marks[CACHE_MARKS_MAX];
};

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    if (b == NULL || (b->cache = cache_new(CACHE_BYTES_MIN, CAPACITY)) == NULL)
        return -1;
    cache_join(b->cache, 1);
    buf_init(&b->out, 0);
    b->hit.marks = b->marks;
    b->hit.marks_max = CACHE_MARKS_MAX;
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    cache_free(&b->cache);
    assert_null(b->cache);
    buf_fini(&b->out);
    free(b);
    return 0;
}

/* Whatever lies in the head or anywhere else: it is taken as it is or refused. */
static void
cache_adopts_no_garbage(void **state)
{
    struct bench *b = *state;
    struct cache *first, *second;
    int fds[CACHE_FDS_MAX], fd;
    char id[16], *map;
    struct cache_stats stats;
    size_t i, k, n;

    for (i = 0; i < 200; i++) {
        first = cache_new(CACHE_BYTES_MIN, CAPACITY);
        n = cache_fds(first, fds);
        for (k = 0; k < n; k++)
            fds[k] = dup(fds[k]);
        fd = fds[0];
        cache_free(&first);
        map = mmap(NULL, CACHE_BYTES_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        for (k = 0; k < CACHE_BYTES_MIN; k++) {
            if (k >= 40 || i % 2 == 0)
                map[k] = (char)((k * 31 + i * 17) >> 3);
        }
        munmap(map, CACHE_BYTES_MIN);
        second = cache_adopt(fds, n, CACHE_BYTES_MIN, CAPACITY);
        assert_true((second != NULL) == (i % 2 == 1));
        if (second == NULL) {
            for (k = 0; k < n; k++)
                close(fds[k]);
            continue;
        }
        cache_join(second, 1);
        cache_stats(second, &stats);
        for (k = 0; k < 100; k++) {
            struct cache_key key;

            snprintf(id, sizeof(id), "%zu", k);
            cache_key(second, SOURCE, span_str(id), &key);
            assert_int_equal(cache_get(second, &key, &b->out, &b->hit), CACHE_MISS);
            (void)cache_put_found(second, &key, clock_now() + USEC_PER_SEC, SPAN("{}"),
                                  NULL, 0);
        }
        cache_free(&second);
    }
}

static void
cache_for_items_of_400_bytes_three_quarters_are_keys_and_items(void **state)
{
    struct cache *cache = cache_new((size_t)16 << 20, 64);
    struct cache_stats stats;
    struct cache_key key;
    char id[16], item[400];
    uint32_t marks[10] = { 0 };
    size_t i, payload;

    (void)state;
    assert_non_null(cache);
    cache_join(cache, 0);
    memset(item, 'x', sizeof(item));
    for (i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "%08zu", i);
        cache_key(cache, SOURCE, span_str(id), &key);
        cache_put_found(cache, &key, i + 1, span_of(item, sizeof(item)), marks, 10);
    }
    cache_stats(cache, &stats);
    payload = stats.entries * (8 + sizeof(item));
    print_message("%.1f %% of the region are keys and items\n",
                  100.0 * (double)payload / (16 << 20));
    assert_true(payload * 100 >= ((size_t)16 << 20) * 75);
    cache_free(&cache);
}

static void
cache_before_joining_stores_nothing_but_reads_and_invalidates(void **state)
{
    struct bench *b = *state;
    int fds[CACHE_FDS_MAX];
    struct cache *master = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct cache_key key;

    (void)b;
    cache_key(master, SOURCE, SPAN("7"), &key);
    assert_int_equal(cache_put_found(master, &key, 1, SPAN("{}"), NULL, 0),
                     CACHE_NOT_STORED);
    assert_int_equal(cache_wake_fd(master), -1);
    assert_false(cache_invalidate(master, &key, 1));
    assert_true(cache_fds(master, fds) > 1);
    cache_free(&master);
}

static void
cache_lives_on_behind_its_descriptors(void **state)
{
    struct bench *b = *state;
    struct cache *first = cache_new(CACHE_BYTES_MIN, CAPACITY), *second;
    int fds[CACHE_FDS_MAX], kept[CACHE_FDS_MAX];
    size_t i, n = cache_fds(first, fds);
    struct cache_key key;

    for (i = 0; i < n; i++) {
        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        kept[i] = dup(fds[i]);
    }
    cache_join(first, 1);
    cache_key(first, SOURCE, SPAN("7"), &key);
    cache_put_found(first, &key, 1, SPAN("{}"), NULL, 0);
    cache_free(&first);
    assert_null(cache_adopt(kept, n, CACHE_BYTES_MIN * 2, CAPACITY));
    assert_null(cache_adopt(kept, n, CACHE_BYTES_MIN, CAPACITY + 100));
    assert_null(cache_adopt(kept + 1, n - 1, CACHE_BYTES_MIN, CAPACITY));
    second = cache_adopt(kept, n, CACHE_BYTES_MIN, CAPACITY);
    assert_non_null(second);
    cache_key(second, SOURCE, SPAN("7"), &key);
    assert_int_equal(cache_get(second, &key, &b->out, &b->hit), CACHE_FOUND);
    assert_int_equal(ftruncate(kept[0], 4096), -1);
    assert_int_equal(errno, EPERM);
    cache_free(&second);
    assert_int_equal(fcntl(kept[0], F_GETFD), -1);
}

static size_t
resident_pages(const char *base, size_t bytes)
{
    static unsigned char pages[1 << 16];
    size_t i, n = 0;

    assert_int_equal(mincore((void *)(uintptr_t)base, bytes, pages), 0);
    for (i = 0; i < bytes / 4096; i++)
        n += pages[i] & 1;
    return n;
}

/* 256 MiB that nobody uses cost nobody anything, and used ones are taken bit by bit. */
static void
cache_region_is_not_touched_before_it_is_used(void **state)
{
    struct cache *cache = cache_new((size_t)256 << 20, CAPACITY);
    struct cache_key key;
    struct cache_stats stats;

    (void)state;
    assert_true(resident_pages(cache->base, cache->at.bytes) <= 1);
    cache_join(cache, 0);
    cache_key(cache, SOURCE, SPAN("7"), &key);
    cache_put_found(cache, &key, 1, SPAN("{}"), NULL, 0);
    assert_true(resident_pages(cache->base, cache->at.bytes) <= 8);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 1);
    cache_free(&cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cache_adopts_no_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(
            cache_for_items_of_400_bytes_three_quarters_are_keys_and_items, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            cache_before_joining_stores_nothing_but_reads_and_invalidates, setup,
            teardown),
        cmocka_unit_test(cache_region_is_not_touched_before_it_is_used),
        cmocka_unit_test_setup_teardown(cache_lives_on_behind_its_descriptors, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
