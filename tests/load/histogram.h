/*
 * histogram.h - how long things took, to 1 % and in fixed memory.
 *
 * Owns: counts in log-linear buckets, as HdrHistogram does: every power of two is
 * cut into 128 equal parts, so a bucket is at most 1/128 of its value wide.  Values
 * below 256 have a bucket each.
 */
#ifndef TESTS_LOAD_HISTOGRAM_H
#define TESTS_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PART_BITS 7
#define HISTOGRAM_PARTS (1 << HISTOGRAM_PART_BITS)
#define HISTOGRAM_VALUE_BITS 40 /* larger values land in the last bucket */
#define HISTOGRAM_BUCKETS \
    ((HISTOGRAM_VALUE_BITS - HISTOGRAM_PART_BITS + 1) * HISTOGRAM_PARTS)

/* All zero is an empty histogram. */
struct histogram {
    uint64_t count;
    uint64_t max; /* exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* Adds everything 'from' holds to 'into'. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that 'share' (0..1) of all values do not exceed, at most 1/128 too high
 * and never above the largest one seen; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
