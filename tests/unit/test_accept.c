/*
 * test_accept.c - when a worker leaves a connection to another.
 */
#include "server/worker/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void
accept_gate_is_open_for_the_least_busy(void **state)
{
    uint64_t n;

    (void)state;
    for (n = 0; n < 100000; n++) {
        assert_true(accept_gate_open(n, n));
        assert_true(accept_gate_open(n / 2, n)); /* 'least' may be out of date */
    }
}

static void
accept_gate_allows_one_more_and_a_twentieth(void **state)
{
    static const struct {
        uint64_t least, most;
    } rows[] = { { 0, 1 },   { 1, 2 },     { 18, 19 },    { 19, 20 },
                 { 20, 22 }, { 250, 263 }, { 1000, 1051 } };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(accept_gate_open(rows[i].most, rows[i].least));
        assert_false(accept_gate_open(rows[i].most + 1, rows[i].least));
    }
}

static void
accept_gate_is_open_when_nobody_else_is_alive(void **state)
{
    (void)state;
    assert_true(accept_gate_open(0, UINT64_MAX));
    assert_true(accept_gate_open(1000000, UINT64_MAX));
}

static void
accept_gate_keeps_a_thousand_connections_within_a_tenth(void **state)
{
    uint64_t workers[4] = { 0 }, least, most;
    unsigned i, w, at;

    (void)state;
    for (i = 0; i < 1000; i++) {
        least = UINT64_MAX;
        for (w = 0; w < 4; w++)
            least = workers[w] < least ? workers[w] : least;
        /* the worst order: the same worker wakes first as long as it may */
        for (at = 0; !accept_gate_open(workers[at], least); at++)
            assert_true(at < 3);
        workers[at]++;
    }
    least = most = workers[0];
    for (w = 1; w < 4; w++) {
        least = workers[w] < least ? workers[w] : least;
        most = workers[w] > most ? workers[w] : most;
    }
    assert_true(most * 10 <= least * 11);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_gate_is_open_for_the_least_busy),
        cmocka_unit_test(accept_gate_allows_one_more_and_a_twentieth),
        cmocka_unit_test(accept_gate_is_open_when_nobody_else_is_alive),
        cmocka_unit_test(accept_gate_keeps_a_thousand_connections_within_a_tenth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
