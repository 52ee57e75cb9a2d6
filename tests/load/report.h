/*
 * report.h - a run in words, or in JSON.
 */
#ifndef TESTS_LOAD_REPORT_H
#define TESTS_LOAD_REPORT_H

#include "tests/load/plan.h"
#include "tests/load/tally.h"

/* Prints the run to stdout. */
void report_print(const struct plan *plan, const struct tally *t);

#endif
