/*
 * database.h - straight to MariaDB.
 *
 * Owns: the generator's own connections: the blocking thread pool that fetchd is
 * compared with, and the filling of the load table.
 */
#ifndef TESTS_LOAD_DATABASE_H
#define TESTS_LOAD_DATABASE_H

#include "common/compiler.h"
#include "tests/load/plan.h"
#include "tests/load/tally.h"

#include <mysql.h>

/* Opens a connection over the plan's socket or port; 'schema' may be NULL.
 * NULL: failed, said on stderr. */
MYSQL *database_open(const struct plan *plan, const char *schema) MUST_CHECK;

/* Makes the load table with plan->rows rows unless it is there already, writes it
 * out and reads it once, so that it is in memory.  -1: failed, said on stderr. */
int database_fill(const struct plan *plan) MUST_CHECK;

/* Runs the plan over plan->threads connections, one statement per id.
 * -1: could not start, said on stderr. */
int pool_run(const struct plan *plan, struct tally *t) MUST_CHECK;

#endif
