/*
 * random.h - numbers that look like chance and are the same each time.
 *
 * Marsaglia's xorshift ("Xorshift RNGs", 2003): good enough to choose with, and a test that
 * failed fails again.
 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

/* The next number after '*x', which must not be 0 and becomes it. */
static inline uint64_t
random_next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

#endif
