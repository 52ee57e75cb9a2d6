/*
 * zipf.h - numbers as popular as words: the k-th of n is drawn k^s times less often
 * than the first.
 *
 * Pure functions over the caller's memory; randomness comes in as an argument.
 */
#ifndef TESTS_LOAD_ZIPF_H
#define TESTS_LOAD_ZIPF_H

#include "common/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct zipf {
    double n;
    double s;
    double top;    /* the integral of the density up to the first rank's right edge */
    double bottom; /* ... and up to the last rank's */
    double sure;   /* a rank this near to its point needs no second look */
};

/* 'n' ranks, exponent 's' from 0 (uniform) to 10. */
void zipf_init(struct zipf *z, uint32_t n, double s);

/* One try with 'u' from [0, 1): false sends the caller back for another 'u' (one in
 * ten at most).  'rank' becomes 1..n. */
bool zipf_try(const struct zipf *z, double u, uint32_t *rank) MUST_CHECK;

#endif
