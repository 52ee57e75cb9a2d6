/*
 * histogram.c - how long things took, to 1 % and in fixed memory.
 *
 *     0 .. 255 | 256 .. 511 | 512 .. 1023 | ...
 *     by one   | by two     | by four     |       128 buckets each from 256 on
 */
#include "tests/load/histogram.h"

#include <stddef.h>

static size_t
bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < 2 * HISTOGRAM_PARTS)
        return (size_t)value;
    if (value >> HISTOGRAM_VALUE_BITS != 0)
        return HISTOGRAM_BUCKETS - 1;
    shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_PART_BITS;
    return (size_t)shift * HISTOGRAM_PARTS + (size_t)(value >> shift);
}

/* The largest value that falls into bucket 'i'. */
static uint64_t
bucket_top(size_t i)
{
    unsigned shift;

    if (i < 2 * HISTOGRAM_PARTS)
        return i;
    shift = (unsigned)(i / HISTOGRAM_PARTS) - 1;
    return (((uint64_t)i - (uint64_t)shift * HISTOGRAM_PARTS + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t value)
{
    h->count++;
    h->buckets[bucket_of(value)]++;
    if (value > h->max)
        h->max = value;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
    size_t i;

    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
    for (i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t
histogram_quantile(const struct histogram *h, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)h->count + 0.5), top;
    size_t i;

    if (h->count == 0)
        return 0;
    if (wanted < 1)
        wanted = 1;
    for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted) {
            top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}
