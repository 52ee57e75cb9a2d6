/*
 * tally.h - what a run has seen.
 *
 * Owns: the counters of one run or one thread of it, and the first few complaints.
 * A frozen tally counts no more speed, only correctness: answers that come after the
 * measured time are still checked.
 */
#ifndef TESTS_LOAD_TALLY_H
#define TESTS_LOAD_TALLY_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "tests/load/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The codes of FAIL and ERROR lines; the last of each stands for any other. */
#define TALLY_FAIL_CODES 8
#define TALLY_ERROR_CODES 7
extern const char *const tally_fail_names[TALLY_FAIL_CODES];
extern const char *const tally_error_names[TALLY_ERROR_CODES];

/* All zero is an empty tally. */
struct tally {
    bool frozen;
    usec_t elapsed; /* the time that speed refers to */
    usec_t cpu;     /* the generator's processor time from the first request on */
    /* within the measured time */
    uint64_t requests; /* answered to the end */
    uint64_t items;
    uint64_t misses;
    struct histogram latency_us;
    /* in the whole run */
    uint64_t all_requests;
    uint64_t all_items;
    uint64_t fail[TALLY_FAIL_CODES];
    uint64_t error[TALLY_ERROR_CODES];
    uint64_t exact; /* items compared byte for byte */
    uint64_t wrong; /* answers that are not what the table and the protocol say */
    uint64_t lost;  /* requests whose connection ended before their answer did */
    uint64_t disconnects;
};

/* The processor time this process has used so far. */
usec_t tally_cpu_now(void);

void tally_item(struct tally *t);
void tally_miss(struct tally *t);
void tally_fail(struct tally *t, struct span code);
void tally_error(struct tally *t, struct span code);
void tally_request(struct tally *t, usec_t took);

/* Counts one wrong answer; the first few are explained on stderr. */
void tally_wrong(struct tally *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Adds all that 'from' counted to 'into'. */
void tally_merge(struct tally *into, const struct tally *from);

uint64_t tally_failures(const struct tally *t);
uint64_t tally_errors(const struct tally *t);

#endif
