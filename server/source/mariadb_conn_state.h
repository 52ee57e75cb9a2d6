/*
 * mariadb_conn_state.h - a connection from the inside.
 *
 * Owns: the shape that mariadb_conn.c (connecting, closing, timing) and
 * mariadb_statement.c (sending, reading rows) share.
 */
#ifndef SERVER_SOURCE_MARIADB_CONN_STATE_H
#define SERVER_SOURCE_MARIADB_CONN_STATE_H

#include "server/source/mariadb_conn.h"

struct event;

enum conn_state {
    CONN_WAITING, /* for the timer, to connect */
    CONN_CONNECTING,
    CONN_IDLE,
    CONN_QUERY, /* the statement is sent, its first packet awaited */
    CONN_ROWS,  /* rows are being read */
};

struct mariadb_conn {
    const struct config_database *config;
    struct metrics *metrics;
    const struct mariadb_conn_events *events;
    void *arg;
    struct event_base *base;
    size_t packet_max;

    enum conn_state state;
    bool down;
    unsigned failures; /* attempts since a statement last ended well; a server that
                        * lets us in and throws us out is not asked in a tight loop */
    MYSQL *mysql;
    MYSQL_RES *result;
    bool on_socket;            /* these two are for the present socket: */
    struct event *read_event;  /* persistent while connected */
    struct event *write_event; /* one-shot, rare */
    struct event *timer;
    struct event *kick; /* a call finished at once: go on from the loop */
    bool through;       /* ... and this is it: nothing is suspended */
    int through_failed;
    struct event *later; /* there may be more rows: go on when others were heard */
    bool paused;         /* ... and this is it: nothing is suspended either */
    usec_t due;          /* when the timer means something; 0: never */
    usec_t armed;        /* when it will fire; 0: not pending */
    bool silent;         /* given up for its silence */
    struct mariadb_statement *statement;
};

/* --- mariadb_conn.c --- */

/* Makes 'due' the moment the timer acts; 0 forgets it. */
void mariadb_conn_set_due(struct mariadb_conn *c, usec_t due, usec_t now);

/* Waits for what the suspended call asked for (MYSQL_WAIT_ flags). */
void mariadb_conn_wait(struct mariadb_conn *c, int wants);

/* The connection is gone or could not be made: closes and plans the next attempt. */
void mariadb_conn_fail(struct mariadb_conn *c, const char *text);

/* --- mariadb_statement.c --- */

/* The sending call is through. */
void mariadb_conn_query_sent(struct mariadb_conn *c, int failed);

/* Something happened on the socket while a statement was sent, or read. */
void mariadb_conn_pump_query(struct mariadb_conn *c, int happened);
void mariadb_conn_pump_rows(struct mariadb_conn *c, int happened);

#endif
