/*
 * pace.h - when each request of an open loop is due.
 *
 * Evenly spaced, so that the n-th moment is known without the ones before it and nothing
 * that happens later can move it.
 */
#ifndef TESTS_LOAD_PACE_H
#define TESTS_LOAD_PACE_H

#include "common/clock.h"

#include <stdint.h>

struct pace {
    usec_t start;
    double gap_us;
};

/* 'rate' in requests a second; 0 makes everything due at once. */
static inline void
pace_start(struct pace *p, usec_t start, double rate)
{
    p->start = start;
    p->gap_us = rate > 0 ? 1e6 / rate : 0;
}

/* When request 'n' (from 0) is due. */
static inline usec_t
pace_due(const struct pace *p, uint64_t n)
{
    return p->start + (usec_t)((double)n * p->gap_us);
}

#endif
