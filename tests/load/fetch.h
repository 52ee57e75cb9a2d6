/*
 * fetch.h - the loop against a server, closed or open.
 *
 * Owns: the connections.  Closed: every connection keeps 'pipeline' requests in flight
 * and sends the next one as soon as an answer is complete.  Open: requests leave at a
 * rate, and latency counts from when each was due.
 */
#ifndef TESTS_LOAD_FETCH_H
#define TESTS_LOAD_FETCH_H

#include "common/compiler.h"
#include "tests/load/plan.h"
#include "tests/load/tally.h"

/* Runs the plan to its end and waits for the answers still due.  -1: could not start,
 * said on stderr. */
int fetch_run(const struct plan *plan, struct tally *t) MUST_CHECK;

#endif
