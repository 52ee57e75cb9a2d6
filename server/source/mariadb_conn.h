/*
 * mariadb_conn.h - one non-blocking connection to MariaDB.
 *
 * Owns: the MYSQL handle, its events and timers, connecting and connecting again.
 * Promise: nothing here ever blocks the loop; a statement ends exactly once, from the
 * loop and never inside mariadb_conn_run; a handle that lost its statement is closed and
 * never used again, so no late row can reach anybody.
 * Never knows: tables, ids, batches.
 *
 *     WAITING --timer--> CONNECTING --ok--> IDLE <--> QUERY -> ROWS -> IDLE
 *        ^                   |               |          |        |
 *        +---- failed -------+               +-- lost --+--------+--> WAITING (at once)
 */
#ifndef SERVER_SOURCE_MARIADB_CONN_H
#define SERVER_SOURCE_MARIADB_CONN_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/config/config.h"
#include "server/stats/metrics.h"

#include <mysql.h>
#include <stdbool.h>

struct event_base;
struct mariadb_conn;

enum statement_end {
    STATEMENT_DONE,   /* every row was delivered */
    STATEMENT_ERROR,  /* the server said no; the connection lives on */
    STATEMENT_LOST,   /* the connection is gone */
    STATEMENT_CUT,    /* ... and went in the middle of the rows */
    STATEMENT_SILENT, /* no answer in its time; the connection was given up */
};

/* One statement under way; lives in the caller's memory until on_end returns. */
struct mariadb_statement {
    void (*on_fields)(struct mariadb_statement *s, const MYSQL_FIELD *fields, unsigned n);
    void (*on_row)(struct mariadb_statement *s, MYSQL_ROW row,
                   const unsigned long *lengths, unsigned n);
    /* 'code' and 'text' are the server's or the library's error; 0 and "" without. */
    void (*on_end)(struct mariadb_statement *s, enum statement_end end, unsigned code,
                   const char *text);
};

/* What the owner wants to hear; called from the loop. */
struct mariadb_conn_events {
    void (*connected)(void *arg); /* the connection is idle: run what you like */
    /* Lost, or could not be made: 'text' says why, 'code' is the server's error (0: none
     * of the server's). */
    void (*down)(void *arg, unsigned code, const char *text);
};

/* Begins to connect in the next turn.  Everything given is borrowed and outlives the
 * connection; 'packet_max' bounds a row.  NULL: no memory. */
struct mariadb_conn *mariadb_conn_new(struct event_base *base,
                                      const struct config_database *config,
                                      size_t packet_max, struct metrics *metrics,
                                      const struct mariadb_conn_events *events, void *arg)
    MUST_CHECK;

/* Ends a statement under way as STATEMENT_LOST, closes, frees. */
void mariadb_conn_free(struct mariadb_conn **conn);

/* May mariadb_conn_run be called now? */
bool mariadb_conn_idle(const struct mariadb_conn *conn);

/* Did the last attempt to connect fail?  (False while one that was never tried or was
 * just lost is being made again.) */
bool mariadb_conn_down(const struct mariadb_conn *conn);

/* Sends 'sql', which must stay until on_end and limits itself to 'budget'; when the server
 * is silent 100 ms past that, the connection is given up.  Only when idle. */
void mariadb_conn_run(struct mariadb_conn *conn, struct mariadb_statement *s,
                      struct span sql, usec_t budget);

#endif
