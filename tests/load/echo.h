/*
 * echo.h - the server that looks nothing up.
 *
 * Owns: what no fetch server can beat: it reads lines of the native dialect and answers
 * each with as many items as ids were asked, but always the same ones, from one block of
 * bytes that was made beforehand.  What another server takes longer than this is what it
 * spends on knowing the answer.
 */
#ifndef TESTS_LOAD_ECHO_H
#define TESTS_LOAD_ECHO_H

#include "common/compiler.h"
#include "tests/load/plan.h"

#include <stddef.h>
#include <stdint.h>

/* The 'n' ids that an answer of 'n' positions holds: spread over 1..rows, so that their
 * mean length is the table's, and 1 - hits of them above rows, which are misses. */
void echo_choose(uint32_t rows, double hits, uint32_t *ids, size_t n);

/* Listens on plan->address, prints it to stdout and serves until killed.
 * -1: could not start, said on stderr. */
int echo_run(const struct plan *plan) MUST_CHECK;

#endif
