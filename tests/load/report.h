/*
 * report.h - a run in words, or in JSON.
 */
#ifndef TESTS_LOAD_REPORT_H
#define TESTS_LOAD_REPORT_H

#include "common/clock.h"
#include "tests/load/plan.h"
#include "tests/load/tally.h"

/* Prints the run to stdout; 'cpu' is the processor time of the generator. */
void report_print(const struct plan *plan, const struct tally *t, usec_t elapsed,
                  usec_t cpu);

#endif
