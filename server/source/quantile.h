/*
 * quantile.h - what 95 % of the latest took at most, in a few bytes.
 *
 * Owns: a histogram with four steps to each doubling (19 % wide) that halves itself every
 * QUANTILE_WINDOW values, so that the past fades.  Pure.
 */
#ifndef SERVER_SOURCE_QUANTILE_H
#define SERVER_SOURCE_QUANTILE_H

#include "common/clock.h"

#include <stdint.h>

#define QUANTILE_STEPS 128
#define QUANTILE_WINDOW 1024

struct quantile {
    uint32_t counts[QUANTILE_STEPS];
    uint32_t n;
};

void quantile_add(struct quantile *q, usec_t value);

/* The upper end of the step that holds the share 'percent'; 0 before 'least' values were
 * seen. */
usec_t quantile_at(const struct quantile *q, unsigned percent, uint32_t least);

#endif
