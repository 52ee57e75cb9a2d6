/*
 * test_heap.c - the earliest first, whatever comes and goes.
 */
#include "common/heap.h"
#include "tests/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES 500
#define STEPS 20000

static uint64_t seed = 0x2545f4914f6cdd1du;

static unsigned
chance(unsigned n)
{
    return (unsigned)(random_next(&seed) % n);
}

static void
heap_of_nothing_has_no_first(void **state)
{
    struct heap_node node = { .index = 0 };
    struct heap h;

    (void)state;
    heap_init(&h);
    assert_null(heap_first(&h));
    heap_remove(&h, &node); /* in no heap: nothing happens */
    assert_int_equal(h.count, 0);
    heap_fini(&h);
}

static void
heap_takes_a_node_again_after_it_was_removed(void **state)
{
    struct heap_node node = { .index = 0 };
    struct heap h;

    (void)state;
    heap_init(&h);
    assert_int_equal(heap_push(&h, &node, 5), 0);
    assert_ptr_equal(heap_first(&h), &node);
    heap_remove(&h, &node);
    heap_remove(&h, &node);
    assert_null(heap_first(&h));
    assert_int_equal(heap_push(&h, &node, UINT64_MAX), 0);
    assert_int_equal(heap_first(&h)->at, UINT64_MAX);
    heap_fini(&h);
}

static int
by_time(const void *a, const void *b)
{
    usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

    return x < y ? -1 : x > y;
}

static void
heap_gives_moments_in_the_order_of_qsort(void **state)
{
    struct heap_node nodes[NODES] = { { 0, 0 } };
    usec_t sorted[NODES];
    struct heap h;
    size_t i;

    (void)state;
    heap_init(&h);
    for (i = 0; i < NODES; i++) {
        sorted[i] = chance(NODES); /* with equal ones among them */
        assert_int_equal(heap_push(&h, &nodes[i], sorted[i]), 0);
    }
    qsort(sorted, NODES, sizeof(sorted[0]), by_time);
    for (i = 0; i < NODES; i++) {
        assert_int_equal(heap_first(&h)->at, sorted[i]);
        heap_remove(&h, heap_first(&h));
    }
    assert_null(heap_first(&h));
    heap_fini(&h);
}

static usec_t
earliest(const struct heap_node *nodes)
{
    usec_t first = UINT64_MAX;
    size_t i;

    for (i = 0; i < NODES; i++) {
        if (nodes[i].index != 0 && nodes[i].at < first)
            first = nodes[i].at;
    }
    return first;
}

static void
heap_knows_the_first_through_many_random_steps(void **state)
{
    struct heap_node nodes[NODES] = { { 0, 0 } }, *node;
    size_t count = 0;
    struct heap h;
    unsigned i;

    (void)state;
    heap_init(&h);
    for (i = 0; i < STEPS; i++) {
        node = chance(4) == 0 ? heap_first(&h) : &nodes[chance(NODES)];
        if (node == NULL)
            continue;
        if (node->index == 0) {
            assert_int_equal(heap_push(&h, node, chance(1000)), 0);
            count++;
        } else {
            heap_remove(&h, node);
            assert_int_equal(node->index, 0);
            count--;
        }
        assert_int_equal(h.count, count);
        if (count == 0)
            assert_null(heap_first(&h));
        else
            assert_int_equal(heap_first(&h)->at, earliest(nodes));
    }
    for (i = 1; i <= h.count; i++)
        assert_int_equal(h.nodes[i]->index, i);
    heap_fini(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_of_nothing_has_no_first),
        cmocka_unit_test(heap_takes_a_node_again_after_it_was_removed),
        cmocka_unit_test(heap_gives_moments_in_the_order_of_qsort),
        cmocka_unit_test(heap_knows_the_first_through_many_random_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
