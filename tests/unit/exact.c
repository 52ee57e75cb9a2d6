/*
 * exact.c - bytes in a block that ends where they end.
 */
#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct span
exact_copy(struct span s)
{
    char *p = malloc(s.n == 0 ? 1 : s.n);

    assert_non_null(p);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return span_of(p, s.n);
}

void
exact_free(struct span copy)
{
    free((void *)(uintptr_t)copy.p);
}

void
assert_span(struct span got, struct span expected)
{
    assert_int_equal(got.n, expected.n);
    if (got.n > 0)
        assert_memory_equal(got.p, expected.p, got.n);
}
