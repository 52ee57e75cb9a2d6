/*
 * store.h - the load table's items into a server that keeps what it is given.
 */
#ifndef TESTS_LOAD_STORE_H
#define TESTS_LOAD_STORE_H

#include "common/compiler.h"
#include "tests/load/plan.h"

/* Stores the items 1..plan->rows in the plan's dialect, each acknowledged.
 * -1: failed, said on stderr. */
int store_run(const struct plan *plan) MUST_CHECK;

#endif
