/*
 * test_geometry.c - whatever the size, the parts of a region lie one behind the other.
 */
#include "server/cache/geometry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SET_BYTES (SET_LINES * sizeof(struct index_line))

static bool
is_power(size_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static void
assert_sound(const struct geometry *g, size_t bytes)
{
    assert_true(g->bytes <= bytes || bytes < CACHE_BYTES_MIN);
    assert_true(g->epochs >= sizeof(struct region_head));
    assert_true(g->beats >= g->epochs + g->capacity * 8);
    assert_true(g->inval >= g->beats + g->capacity * 8);
    assert_true(g->leases >= g->inval + g->ninval * 8);
    assert_true(g->shards >= g->leases + g->nleases * sizeof(struct shared_lease));
    assert_true(g->shards + g->nshards * g->shard_bytes <= g->bytes);
    assert_true(is_power(g->ninval) && is_power(g->nleases) && is_power(g->nshards));
    assert_int_equal((g->shards | g->shard_bytes | g->index) % SET_BYTES, 0);
    assert_true(g->index >= sizeof(struct shard));
    assert_true(g->nsets > 0 && g->nghosts > 0);
    assert_true(g->ghosts >= g->index + g->nsets * SET_BYTES);
    assert_true(g->ring[RING_SMALL] >= g->ghosts + g->nghosts * GHOST_GROUP * 4);
    assert_true(g->ring[RING_MAIN] >= g->ring[RING_SMALL] + g->ring_bytes[RING_SMALL]);
    assert_true(g->ring[RING_MAIN] + g->ring_bytes[RING_MAIN] + ENTRY_HEAD_BYTES <=
                g->shard_bytes);
    assert_int_equal((g->ring_bytes[RING_SMALL] | g->ring_bytes[RING_MAIN]) % UNIT, 0);
    assert_true(g->shard_bytes / UNIT < (size_t)1 << 31); /* a place fits in a slot */
}

static void
geometry_parts_do_not_overlap(void **state)
{
    struct geometry g;
    size_t bytes;

    (void)state;
    for (bytes = 0; bytes < (size_t)1 << 40; bytes += bytes / 7 + 4093) {
        geometry_make(&g, bytes, bytes % 1100);
        assert_sound(&g, bytes);
    }
}

/* Where there is a region worth the name, the largest item has a place. */
static void
geometry_of_4_mib_holds_the_largest_item(void **state)
{
    struct geometry g;

    (void)state;
    geometry_make(&g, (size_t)4 << 20, 513);
    assert_true(g.ring_bytes[RING_MAIN] / 2 > CACHE_ITEM_MAX + CACHE_MARKS_MAX + 512);
    geometry_make(&g, (size_t)1 << 30, 513);
    assert_true(g.ring_bytes[RING_MAIN] / 2 > CACHE_ITEM_MAX + CACHE_MARKS_MAX + 512);
}

static void
geometry_stamp_tells_layouts_apart(void **state)
{
    struct geometry a, b;

    (void)state;
    geometry_make(&a, (size_t)64 << 20, 513);
    geometry_make(&b, ((size_t)64 << 20) + 100, 513); /* the same, rounded */
    assert_true(geometry_stamp(&a) == geometry_stamp(&b));
    geometry_make(&b, (size_t)65 << 20, 513);
    assert_false(geometry_stamp(&a) == geometry_stamp(&b));
    geometry_make(&b, (size_t)64 << 20, 512);
    assert_false(geometry_stamp(&a) == geometry_stamp(&b));
    b = a;
    b.index += CACHE_LINE;
    assert_false(geometry_stamp(&a) == geometry_stamp(&b));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(geometry_parts_do_not_overlap),
        cmocka_unit_test(geometry_of_4_mib_holds_the_largest_item),
        cmocka_unit_test(geometry_stamp_tells_layouts_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
