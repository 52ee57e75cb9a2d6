/*
 * test_map.c - found while it is in, gone when it is out.
 */
#include "common/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES 3000

struct thing {
    struct map_node node;
    unsigned number;
    bool in;
};

static struct thing *
find(const struct map *m, uint64_t hash, unsigned number)
{
    struct map_node *n;

    for (n = map_first(m, hash); n != NULL; n = map_next(n, hash)) {
        struct thing *t = CONTAINER_OF(n, struct thing, node);

        assert_int_equal(n->hash, hash);
        if (t->number == number)
            return t;
    }
    return NULL;
}

static void
map_of_nothing_finds_nothing(void **state)
{
    struct map m;

    (void)state;
    map_init(&m);
    assert_null(map_first(&m, 0));
    map_fini(&m);
    assert_null(map_first(&m, UINT64_MAX));
}

static void
map_keeps_every_node_while_it_grows(void **state)
{
    struct thing *things = calloc(NODES, sizeof(*things));
    struct map m;
    unsigned i;

    (void)state;
    assert_non_null(things);
    map_init(&m);
    for (i = 0; i < NODES; i++) {
        things[i].number = i;
        /* the low bits alone choose a bucket: only few of them differ */
        assert_int_equal(map_insert(&m, &things[i].node, (uint64_t)i << 4), 0);
        assert_int_equal(m.count, i + 1);
        assert_ptr_equal(find(&m, (uint64_t)i << 4, i), &things[i]);
    }
    for (i = 0; i < NODES; i++)
        assert_ptr_equal(find(&m, (uint64_t)i << 4, i), &things[i]);
    assert_null(map_first(&m, 1));
    assert_null(map_first(&m, (uint64_t)NODES << 4));
    assert_true(m.nbuckets >= NODES && m.nbuckets < 4 * NODES);
    map_fini(&m);
    free(things);
}

static void
map_walks_every_node_of_the_same_hash_and_no_other(void **state)
{
    struct thing same[10], other = { .number = 99 };
    struct map_node *n;
    unsigned i, seen = 0;
    struct map m;

    (void)state;
    map_init(&m);
    assert_int_equal(map_insert(&m, &other.node, 5 + 64), 0); /* the same bucket */
    for (i = 0; i < 10; i++) {
        same[i].number = i;
        assert_int_equal(map_insert(&m, &same[i].node, 5), 0);
    }
    for (n = map_first(&m, 5); n != NULL; n = map_next(n, 5))
        seen |= 1u << CONTAINER_OF(n, struct thing, node)->number;
    assert_int_equal(seen, (1u << 10) - 1);
    for (i = 0; i < 10; i += 2)
        map_remove(&m, &same[i].node);
    for (i = 0; i < 10; i++)
        assert_ptr_equal(find(&m, 5, i), i % 2 == 0 ? NULL : &same[i]);
    assert_ptr_equal(find(&m, 5 + 64, 99), &other);
    assert_int_equal(m.count, 6);
    map_fini(&m);
}

static void
map_agrees_with_a_flag_through_many_random_steps(void **state)
{
    struct thing *things = calloc(NODES, sizeof(*things));
    uint64_t seed = 0x9e3779b97f4a7c15u;
    size_t step, count = 0;
    struct map m;

    (void)state;
    assert_non_null(things);
    map_init(&m);
    for (step = 0; step < 50000; step++) {
        unsigned i;
        uint64_t hash;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        i = (unsigned)(seed >> 33) % NODES;
        hash = i % 700; /* four or five share each */
        things[i].number = i;
        assert_ptr_equal(find(&m, hash, i), things[i].in ? &things[i] : NULL);
        if (things[i].in)
            map_remove(&m, &things[i].node);
        else
            assert_int_equal(map_insert(&m, &things[i].node, hash), 0);
        count += things[i].in ? (size_t)-1 : 1;
        things[i].in = !things[i].in;
        assert_int_equal(m.count, count);
    }
    map_fini(&m);
    free(things);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_of_nothing_finds_nothing),
        cmocka_unit_test(map_keeps_every_node_while_it_grows),
        cmocka_unit_test(map_walks_every_node_of_the_same_hash_and_no_other),
        cmocka_unit_test(map_agrees_with_a_flag_through_many_random_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
