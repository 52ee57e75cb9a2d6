/*
 * test_cache_region.c - a region is sealed, kept, refused, and mostly made of items.
 */
#include "tests/unit/cache_fixture.h"

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

#define CAPACITY 5

/* Whatever lies in the head or anywhere else: it is taken as it is or refused. */
static void
scribble(int fd, unsigned seed, bool keep_head)
{
    char *map = mmap(NULL, CACHE_BYTES_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    size_t i;

    assert_true(map != MAP_FAILED);
    for (i = keep_head ? offsetof(struct region_head, k0) : 0; i < CACHE_BYTES_MIN; i++)
        map[i] = (char)((i * 31 + seed * 17) >> 3);
    munmap(map, CACHE_BYTES_MIN);
}

static void
cache_adopts_no_garbage(void **state)
{
    struct cache *first, *second;
    int fds[CACHE_FDS_MAX];
    enum cache_verdict verdict;
    usec_t asked_at;
    unsigned i, k;
    size_t n;

    (void)state;
    for (i = 0; i < 200; i++) {
        first = cache_new(CACHE_BYTES_MIN, CAPACITY);
        n = cache_fds(first, fds);
        for (k = 0; k < n; k++)
            fds[k] = dup(fds[k]);
        cache_free(&first);
        scribble(fds[0], i, i % 2 == 1);
        second = cache_adopt(fds, n, CACHE_BYTES_MIN, CAPACITY);
        assert_true((second != NULL) == (i % 2 == 1));
        for (k = 0; second == NULL && k < n; k++)
            close(fds[k]);
        if (second == NULL)
            continue;
        cache_join(second, 1);
        for (k = 0; k < 100; k++) {
            assert_true(fixture_get(second, k, 100, &verdict, &asked_at));
            assert_int_equal(verdict, CACHE_MISS);
            (void)fixture_put(second, k, clock_now(), 100);
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
    char id[16], item[400], marks[10] = { 0 };
    size_t i, payload;

    (void)state;
    assert_non_null(cache);
    cache_join(cache, 0);
    memset(item, 'x', sizeof(item));
    for (i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "%08zu", i);
        cache_key(cache, FIXTURE_SOURCE, span_str(id), &key);
        cache_put_found(cache, &key, i + 1, span_of(item, sizeof(item)), i,
                        span_of(marks, sizeof(marks)));
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
    struct cache *master = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct cache *worker = fixture_view(master, CACHE_BYTES_MIN, CAPACITY, 1);
    enum cache_verdict verdict;
    struct cache_key key;
    usec_t asked_at;
    char text[16];

    (void)state;
    assert_int_equal(fixture_put(master, 7, 1, 100), CACHE_NOT_STORED);
    assert_int_equal(cache_wake_fd(master), -1);
    assert_true(cache_wake_fd(worker) != -1);
    assert_int_equal(fixture_put(worker, 7, 1, 100), CACHE_STORED);
    assert_true(fixture_get(master, 7, 100, &verdict, &asked_at));
    assert_int_not_equal(verdict, CACHE_MISS);
    key = fixture_key(master, 7, text);
    assert_true(cache_invalidate(master, &key, 1));
    assert_true(fixture_get(worker, 7, 100, &verdict, &asked_at));
    assert_int_equal(verdict, CACHE_MISS);
    cache_free(&worker);
    cache_free(&master);
}

static void
cache_lives_on_behind_its_descriptors(void **state)
{
    struct cache *first = cache_new(CACHE_BYTES_MIN, CAPACITY), *second;
    int fds[CACHE_FDS_MAX], kept[CACHE_FDS_MAX];
    size_t i, n = cache_fds(first, fds);
    enum cache_verdict verdict;
    usec_t asked_at;

    (void)state;
    for (i = 0; i < n; i++) {
        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        kept[i] = dup(fds[i]);
    }
    cache_join(first, 1);
    assert_int_equal(fixture_put(first, 7, 1, 100), CACHE_STORED);
    cache_free(&first);
    assert_null(cache_adopt(kept, n, CACHE_BYTES_MIN * 2, CAPACITY));
    assert_null(cache_adopt(kept, n, CACHE_BYTES_MIN, CAPACITY + 100));
    assert_null(cache_adopt(kept + 1, n - 1, CACHE_BYTES_MIN, CAPACITY));
    second = cache_adopt(kept, n, CACHE_BYTES_MIN, CAPACITY);
    assert_non_null(second);
    assert_true((fcntl(kept[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(fixture_get(second, 7, 100, &verdict, &asked_at));
    assert_int_not_equal(verdict, CACHE_MISS);
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
    cache_key(cache, FIXTURE_SOURCE, SPAN("7"), &key);
    cache_put_found(cache, &key, 1, SPAN("{}"), 0, SPAN(""));
    assert_true(resident_pages(cache->base, cache->at.bytes) <= 8);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 1);
    cache_free(&cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_adopts_no_garbage),
        cmocka_unit_test(cache_for_items_of_400_bytes_three_quarters_are_keys_and_items),
        cmocka_unit_test(cache_before_joining_stores_nothing_but_reads_and_invalidates),
        cmocka_unit_test(cache_region_is_not_touched_before_it_is_used),
        cmocka_unit_test(cache_lives_on_behind_its_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
