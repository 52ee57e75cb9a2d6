/*
 * test_cache_sizes.c - 20 bytes beside a megabyte, for as long as you like.
 *
 * Whether a store fragments, or a ring's end is taken for its middle, shows after many
 * rounds only: each item here has a size of its own, and the region is filled fifteen
 * times over.
 */
#include "tests/unit/cache_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES ((size_t)4 << 20)
#define CAPACITY 2
#define IDS 20000
#define PUTS 40000
#define KINDS 16 /* of sizes: up to 20 bytes, 40, 80 .. 640 KiB */

static size_t
most_of(unsigned id)
{
    return (size_t)20 << (id % KINDS);
}

/* Large ones come seldom, or there would be nothing else. */
static unsigned
next_id(uint64_t *random)
{
    unsigned id;

    do
        id = fixture_random(random) % IDS;
    while (fixture_random(random) % (1 + most_of(id) / 4000) != 0);
    return id;
}

static void
cache_lives_with_any_mixture_of_sizes(void **state)
{
    struct cache *c = cache_new(BYTES, CAPACITY);
    uint64_t random = 2463534242u;
    enum cache_verdict verdict;
    struct cache_stats stats;
    unsigned i, id, found = 0, largest = 0;
    usec_t asked_at;

    (void)state;
    cache_join(c, 0);
    for (i = 1; i <= PUTS; i++) {
        id = next_id(&random);
        assert_int_equal(fixture_put(c, id, i, most_of(id)), CACHE_STORED);
        assert_true(fixture_get(c, id, most_of(id), &verdict, &asked_at));
        assert_int_not_equal(verdict, CACHE_MISS);
        assert_int_equal(asked_at, i);
        largest += id % KINDS == KINDS - 1;
        id = next_id(&random);
        assert_true(fixture_get(c, id, most_of(id), &verdict, &asked_at));
        found += verdict != CACHE_MISS;
    }
    cache_stats(c, &stats);
    print_message("%u of %u found, %u of the largest put, %u entries, %u evictions\n",
                  found, PUTS, largest, (unsigned)stats.entries,
                  (unsigned)stats.evictions);
    assert_int_equal(stats.wiped, 0);
    assert_int_equal(stats.not_stored, 0);
    assert_true(stats.bytes > stats.bytes_max * 8 / 10);
    assert_true(found > PUTS / 20);
    assert_true(stats.evictions > 5 * stats.entries);
    assert_true(largest > 0);
    cache_free(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_lives_with_any_mixture_of_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
