/*
 * test_cache.c - what is put is found, by everybody, byte for byte, or not at all.
 */
#include "server/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOURCE 0x1234567890abcdefu
#define CAPACITY 5

struct bench {
    struct cache *cache;
    struct buf out;
    struct cache_hit hit;
};

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    if (b == NULL || (b->cache = cache_new(CACHE_BYTES_MIN, CAPACITY)) == NULL)
        return -1;
    cache_join(b->cache, 1);
    buf_init(&b->out, 0);
    b->hit.with_marks = true;
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

static struct cache_key
key_of(const struct bench *b, const char *id)
{
    struct cache_key key;

    cache_key(b->cache, SOURCE, span_str(id), &key);
    return key;
}

static enum cache_put
put(struct bench *b, const char *id, usec_t asked_at, const char *item)
{
    struct cache_key key = key_of(b, id);

    return cache_put_found(b->cache, &key, asked_at, span_str(item), 0, SPAN(""));
}

static enum cache_verdict
get(struct bench *b, const char *id)
{
    struct cache_key key = key_of(b, id);

    buf_clear(&b->out);
    return cache_get(b->cache, &key, &b->out, &b->hit);
}

static void
assert_item(const struct bench *b, const char *item)
{
    assert_int_equal(b->hit.len, strlen(item));
    assert_true(span_equal(buf_span(&b->out), span_str(item)));
}

static void
cache_finds_what_was_put_and_when_it_was_asked_for(void **state)
{
    struct bench *b = *state;

    assert_int_equal(get(b, "7"), CACHE_MISS);
    assert_int_equal(put(b, "7", 1000, "{\"id\":7}"), CACHE_STORED);
    assert_int_equal(get(b, "7"), CACHE_FOUND);
    assert_item(b, "{\"id\":7}");
    assert_int_equal(b->hit.asked_at, 1000);
    assert_int_equal(b->hit.nmarks, 0);
    assert_int_equal(get(b, "8"), CACHE_MISS);
    assert_int_equal(buf_size(&b->out), 0);
}

static void
cache_appends_behind_what_is_there(void **state)
{
    struct bench *b = *state;
    struct cache_key key = key_of(b, "7");

    put(b, "7", 1, "{}");
    buf_append_span(&b->out, SPAN("ITEM 7 "));
    assert_int_equal(cache_get(b->cache, &key, &b->out, &b->hit), CACHE_FOUND);
    assert_true(span_equal(buf_span(&b->out), SPAN("ITEM 7 {}")));
}

static void
cache_tells_sources_and_ids_apart(void **state)
{
    struct bench *b = *state;
    struct cache_key other;

    put(b, "a", 1, "small");
    put(b, "A", 1, "large");
    put(b, "a ", 1, "blank");
    cache_key(b->cache, SOURCE + 1, SPAN("a"), &other);
    assert_int_equal(cache_get(b->cache, &other, &b->out, &b->hit), CACHE_MISS);
    get(b, "a");
    assert_item(b, "small");
    get(b, "A");
    assert_item(b, "large");
    get(b, "a ");
    assert_item(b, "blank");
}

/* An id whose hash is another's is still another. */
static void
cache_compares_the_key_not_only_its_hash(void **state)
{
    struct bench *b = *state;
    struct cache_key key = key_of(b, "7"), forged = key;

    put(b, "7", 1, "{}");
    forged.id = SPAN("8");
    assert_int_equal(cache_get(b->cache, &forged, &b->out, &b->hit), CACHE_MISS);
    forged = key;
    forged.source++;
    assert_int_equal(cache_get(b->cache, &forged, &b->out, &b->hit), CACHE_MISS);
    assert_int_equal(cache_get(b->cache, &key, &b->out, &b->hit), CACHE_FOUND);
}

static void
cache_remembers_absence(void **state)
{
    struct bench *b = *state;
    struct cache_key key = key_of(b, "7");

    assert_int_equal(cache_put_absent(b->cache, &key, 5), CACHE_STORED);
    assert_int_equal(get(b, "7"), CACHE_ABSENT);
    assert_int_equal(b->hit.asked_at, 5);
    assert_int_equal(buf_size(&b->out), 0);
    put(b, "7", 6, "{}");
    assert_int_equal(get(b, "7"), CACHE_FOUND);
    cache_put_absent(b->cache, &key, 7);
    assert_int_equal(get(b, "7"), CACHE_ABSENT);
}

static void
cache_keeps_items_of_any_size_and_content(void **state)
{
    static const size_t sizes[] = { 0,  1,  7,   8,    9,    15,    16,     17,    23,
                                    24, 25, 255, 1000, 4096, 10000, 100000, 300000 };
    struct bench *b = *state;
    struct cache_key key = key_of(b, "x");
    char *item = malloc(300000), *guarded;
    size_t i, k;

    for (i = 0; i < 300000; i++)
        item[i] = (char)(i * 7 + i / 256);
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        /* A copy that ends where its block does: nothing is read behind it. */
        guarded = malloc(sizes[i] + 1);
        memcpy(guarded + 1, item, sizes[i]);
        for (k = 0; k < 2; k++) {
            assert_int_equal(cache_put_found(b->cache, &key, 10 * i + k,
                                             span_of(guarded + 1, sizes[i]), 0, SPAN("")),
                             i == 0 && k == 0 ? CACHE_REFUSED : CACHE_STORED);
        }
        free(guarded);
        assert_int_equal(get(b, "x"), CACHE_FOUND);
        assert_int_equal(b->hit.len, sizes[i]);
        assert_memory_equal(buf_span(&b->out).p == NULL ? item : buf_span(&b->out).p,
                            item, sizes[i]);
    }
    free(item);
}

static void
cache_does_not_store_what_is_too_large(void **state)
{
    struct bench *b = *state;
    struct cache_key key = key_of(b, "x");
    char *item = calloc(1, CACHE_ITEM_MAX + 1);

    put(b, "7", 1, "{}");
    assert_int_equal(cache_put_found(b->cache, &key, 1, span_of(item, CACHE_ITEM_MAX), 0,
                                     SPAN("")),
                     CACHE_NOT_STORED); /* a region of 1 MiB has no such ring */
    assert_int_equal(cache_put_found(b->cache, &key, 1, span_of(item, CACHE_ITEM_MAX + 1),
                                     0, SPAN("")),
                     CACHE_NOT_STORED);
    assert_int_equal(get(b, "x"), CACHE_MISS);
    assert_int_equal(get(b, "7"), CACHE_FOUND);
    free(item);
}

static void
cache_gives_marks_back_to_who_wants_them(void **state)
{
    static const size_t counts[] = { 0, 1, 3, 4, 5, 8, 11, 12, 13, 100, CACHE_MARKS_MAX };
    struct span item = SPAN("{\"a\":1}");
    char marks[CACHE_MARKS_MAX];
    struct bench *b = *state;
    struct cache_key key = key_of(b, "7");
    size_t i, n;

    for (i = 0; i < CACHE_MARKS_MAX; i++)
        marks[i] = (char)(i * 15 + i / 256);
    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        n = counts[i];
        assert_int_equal(cache_put_found(b->cache, &key, i + 1, item, UINT64_MAX - i,
                                         span_of(marks, n)),
                         CACHE_STORED);
        b->hit.with_marks = true;
        assert_int_equal(get(b, "7"), CACHE_FOUND);
        assert_true(b->hit.len == item.n && b->hit.nmarks == n);
        assert_int_equal(buf_size(&b->out), item.n + n);
        assert_memory_equal(b->out.data, item.p, item.n);
        assert_memory_equal(b->out.data + item.n, marks, n);
        assert_true(b->hit.form == UINT64_MAX - i);
        b->hit.with_marks = false;
        assert_int_equal(get(b, "7"), CACHE_FOUND);
        assert_item(b, item.p);
        assert_int_equal(b->hit.nmarks, 0);
    }
    assert_int_equal(cache_put_found(b->cache, &key, i + 1, item, 0,
                                     span_of(item.p, CACHE_MARKS_MAX + 1)),
                     CACHE_NOT_STORED);
}

static void
cache_keeps_the_later_of_two_answers(void **state)
{
    struct bench *b = *state;

    put(b, "7", 100, "later");
    assert_int_equal(put(b, "7", 50, "earlier"), CACHE_STORED);
    get(b, "7");
    assert_item(b, "later");
    put(b, "7", 101, "latest");
    get(b, "7");
    assert_item(b, "latest");
}

static void
cache_full_buffer_is_a_miss_and_marked(void **state)
{
    struct bench *b = *state;
    struct cache_key key = key_of(b, "7");
    struct buf small;

    put(b, "7", 1, "{\"id\":7,\"name\":\"too long for it\"}");
    buf_init(&small, 4);
    assert_int_equal(cache_get(b->cache, &key, &small, &b->hit), CACHE_MISS);
    assert_true(buf_failed(&small));
    buf_fini(&small);
}

static void
cache_invalidated_is_not_found_and_old_fills_are_refused(void **state)
{
    struct bench *b = *state;
    struct cache_key key = key_of(b, "7");

    put(b, "7", 100, "{}");
    put(b, "8", 100, "{}");
    assert_false(cache_invalidated_since(b->cache, &key, 200));
    assert_true(cache_invalidate(b->cache, &key, 200));
    assert_int_equal(get(b, "7"), CACHE_MISS);
    assert_true(cache_invalidated_since(b->cache, &key, 200));
    assert_false(cache_invalidated_since(b->cache, &key, 201));
    assert_int_equal(put(b, "7", 199, "old"), CACHE_REFUSED);
    assert_int_equal(put(b, "7", 200, "old"), CACHE_REFUSED);
    assert_int_equal(cache_put_absent(b->cache, &key, 200), CACHE_REFUSED);
    assert_int_equal(get(b, "7"), CACHE_MISS);
    assert_int_equal(put(b, "7", 201, "new"), CACHE_STORED);
    assert_int_equal(get(b, "7"), CACHE_FOUND);
    assert_int_equal(get(b, "8"), CACHE_FOUND);
    assert_true(
        cache_invalidate(b->cache, &key, 150)); /* an earlier one changes no time */
    assert_false(cache_invalidate(b->cache, &key, 300));
}

/* A hundred seconds of 1,000 invalidations a second: other keys lose nothing, not even
 * those that share their place in the table of times.  (But for those that share their
 * set and 24 bits: one of these is expected in 25 runs of this test.) */
static void
cache_invalidations_of_other_keys_cost_no_hits(void **state)
{
    struct bench *b = *state;
    struct cache_key key;
    char id[16];
    size_t i, found = 0, dropped = 0;

    for (i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        put(b, id, 100, "{}");
    }
    for (i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "other %zu", i);
        key = key_of(b, id);
        dropped += cache_invalidate(b->cache, &key, 200 + i);
    }
    for (i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        found += get(b, id) == CACHE_FOUND;
    }
    assert_int_equal(found, 1000 - dropped);
    assert_true(dropped <= 2);
}

static void
cache_flushed_is_empty_for_everybody(void **state)
{
    struct bench *b = *state;

    put(b, "7", 100, "{}");
    put(b, "8", 301, "{}");
    cache_flush(b->cache, 300);
    assert_int_equal(get(b, "7"), CACHE_MISS);
    assert_int_equal(get(b, "8"), CACHE_FOUND);
    assert_int_equal(put(b, "7", 300, "old"), CACHE_REFUSED);
    assert_int_equal(put(b, "7", 302, "new"), CACHE_STORED);
    assert_int_equal(get(b, "7"), CACHE_FOUND);
}

/* The region is small; ten times what fits is put, and some ids are read all the time. */
static void
cache_evicts_what_nobody_reads(void **state)
{
    struct bench *b = *state;
    char id[16], item[400];
    struct cache_stats stats;
    size_t i, k, kept = 0, n = 10 * CACHE_BYTES_MIN / sizeof(item);

    memset(item, 'x', sizeof(item));
    item[sizeof(item) - 1] = 0;
    for (i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        assert_int_equal(put(b, id, i + 1, item), CACHE_STORED);
        for (k = 0; k < 10 && i > 10; k++) {
            snprintf(id, sizeof(id), "%zu", k);
            kept += get(b, id) == CACHE_FOUND;
        }
    }
    assert_int_equal(kept, 10 * (n - 11));
    cache_stats(b->cache, &stats);
    assert_true(stats.entries > 1000 && stats.entries < n / 5);
    /* A key whose tag is another's takes that one's slot, and no eviction is counted: one
     * in 24 runs has such a pair. */
    assert_in_range(stats.entries + stats.evictions, n - 3, n);
    assert_int_equal(stats.stored, n);
    assert_int_equal(stats.wiped, 0);
    assert_true(stats.bytes <= stats.bytes_max && stats.bytes > stats.bytes_max * 9 / 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            cache_finds_what_was_put_and_when_it_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_appends_behind_what_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_tells_sources_and_ids_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_compares_the_key_not_only_its_hash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_remembers_absence, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_keeps_items_of_any_size_and_content, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_does_not_store_what_is_too_large, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_gives_marks_back_to_who_wants_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_keeps_the_later_of_two_answers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_full_buffer_is_a_miss_and_marked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            cache_invalidated_is_not_found_and_old_fills_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_invalidations_of_other_keys_cost_no_hits,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(cache_flushed_is_empty_for_everybody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cache_evicts_what_nobody_reads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
