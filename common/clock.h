/*
 * clock.h - time that never jumps.
 *
 * Owns: the units of time in fetchd.  Deadlines, ages and heartbeats are on the
 * monotonic clock; the wall clock appears in log lines and nowhere else.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

/* Microseconds on CLOCK_MONOTONIC; the same in every process of the machine. */
typedef uint64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC ((usec_t)1000000)

/* Now.  Never fails; costs a vDSO call, about 25 ns. */
usec_t clock_now(void);

/* "2026-01-31T12:34:56.789Z" of the wall clock into 'out', which holds at
 * least CLOCK_STAMP_SIZE bytes. */
#define CLOCK_STAMP_SIZE 32
void clock_stamp(char *out);

#endif
