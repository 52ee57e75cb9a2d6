/*
 * mariadb_error.h - what the server's error codes mean to us.
 *
 * Owns: the judgement over codes; nobody else compares them.
 */
#ifndef SERVER_SOURCE_MARIADB_ERROR_H
#define SERVER_SOURCE_MARIADB_ERROR_H

#include "server/source/loader.h"

#include <stdbool.h>

/* What an error means for the batch that met it. */
enum batch_outcome mariadb_error_outcome(unsigned code);

/* Does it say that a table or a schema is not as configured?  Anything else (a lock, a
 * kill, a shutdown) passes by itself and must not refuse a start. */
bool mariadb_error_is_verdict(unsigned code);

#endif
