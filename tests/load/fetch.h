/*
 * fetch.h - the closed loop against fetchd.
 *
 * Owns: the connections.  Every connection keeps 'pipeline' requests in flight and
 * sends the next one as soon as an answer is complete.
 */
#ifndef TESTS_LOAD_FETCH_H
#define TESTS_LOAD_FETCH_H

#include "common/clock.h"
#include "common/compiler.h"
#include "tests/load/plan.h"
#include "tests/load/tally.h"

/* Runs the plan to its end and waits for the answers still due.  'elapsed' is the
 * time that the tally's speed refers to.  -1: could not start, said on stderr. */
int fetch_run(const struct plan *plan, struct tally *t, usec_t *elapsed) MUST_CHECK;

#endif
