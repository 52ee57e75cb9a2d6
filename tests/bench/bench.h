/*
 * bench.h - what programs that measure a part alone share.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/* This process's own time: others use the processor meanwhile. */
static inline double
bench_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The id of item 'n'; returns its length. */
static inline size_t
bench_id(char id[16], uint64_t n)
{
    return (size_t)snprintf(id, 16, "%" PRIu64, n);
}

#endif
