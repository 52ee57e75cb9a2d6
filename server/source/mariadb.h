/*
 * mariadb.h - tables of a MariaDB database as sources.
 *
 * Owns: one connection and the tables that are read through it; finding out what a table
 * looks like, at start and whenever it changes.
 * Never knows: who wants the items.
 */
#ifndef SERVER_SOURCE_MARIADB_H
#define SERVER_SOURCE_MARIADB_H

#include "common/compiler.h"
#include "server/config/config.h"
#include "server/source/source.h"
#include "server/stats/metrics.h"

struct event_base;
struct mariadb;

struct mariadb_events {
    /* The first attempt is over: the tables are known, or the database is away (and
     * will be tried again).  Called once. */
    void (*settled)(void *arg);
    /* The database says that a source cannot work as configured; 'why' is one sentence.
     * The source is down until its table is mended. */
    void (*refused)(void *arg, const char *source, const char *why);
};

/* Begins to connect and to look at the tables of 'config' that live in its database
 * number 'index'.  Everything given is borrowed.  After fork only: a connection must
 * never be shared by two processes.  NULL: no memory. */
struct mariadb *mariadb_new(struct event_base *base, const struct config *config,
                            size_t index, struct metrics *metrics,
                            const struct mariadb_events *events, void *arg) MUST_CHECK;

/* Ends what is under way as lost, closes, frees the sources too. */
void mariadb_free(struct mariadb **db);

/* The source for config.sources[which]; NULL: it lives in another database. */
struct source *mariadb_source(struct mariadb *db, size_t which);

/* End of the turn: looks at tables that need it, when the connection is free. */
void mariadb_flush(struct mariadb *db);

/* Frees what the library keeps for the process; the last thing a worker does. */
void mariadb_library_end(void);

#endif
