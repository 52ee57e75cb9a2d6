/*
 * mariadb_statement.c - one statement on a connection: sent, read, over.
 *
 * Rows are read one by one as they arrive (mysql_use_result), never stored: a statement
 * costs one row of memory, and its rows are written where they will be sent from.
 */
#include "server/source/mariadb_conn_state.h"

#include <errmsg.h>
#include <event2/event.h>
#include <stdio.h>

/* Rows that are read in one go, 0.7 us each; then whoever else is ready comes first. */
#define ROWS_AT_ONCE 32

static void
conn_end_statement(struct mariadb_conn *c, enum statement_end end, unsigned code,
                   const char *text)
{
    struct mariadb_statement *s = c->statement;

    c->statement = NULL;
    if (s != NULL)
        s->on_end(s, end, code, text);
}

/* A statement's connection died under it. */
static void
conn_lose(struct mariadb_conn *c)
{
    enum statement_end lost = c->state == CONN_ROWS ? STATEMENT_CUT : STATEMENT_LOST;
    enum statement_end end = c->silent ? STATEMENT_SILENT : lost;
    unsigned code = mysql_errno(c->mysql);
    char why[256];

    snprintf(why, sizeof(why), "%s",
             c->silent ? "no answer from the server" : mysql_error(c->mysql));
    if (c->result != NULL)
        mysql_free_result(c->result);
    c->result = NULL;
    mariadb_conn_fail(c, why);
    conn_end_statement(c, end, code, why);
}

static void
conn_statement_over(struct mariadb_conn *c, enum statement_end end)
{
    unsigned code = mysql_errno(c->mysql);
    char text[256];

    snprintf(text, sizeof(text), "%s", mysql_error(c->mysql));
    if (c->result != NULL)
        mysql_free_result(c->result);
    c->result = NULL;
    c->state = CONN_IDLE;
    c->failures = 0;
    mariadb_conn_set_due(c, 0, 0);
    conn_end_statement(c, end, code, text);
}

/* The library's own errors end the connection; the server's (below, between and above
 * these) do not. */
static bool
is_library_error(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
           (code >= 5000 && code <= 5999);
}

/* The current call failed: did only the statement die, or the connection with it? */
static void
conn_statement_failed(struct mariadb_conn *c)
{
    unsigned code = mysql_errno(c->mysql);

    if (c->silent || code == 0 || is_library_error(code) ||
        mysql_get_socket(c->mysql) == MARIADB_INVALID_SOCKET)
        conn_lose(c);
    else
        conn_statement_over(c, STATEMENT_ERROR);
}

/* Between two rows nothing is suspended; the socket must be silent meanwhile, or it would
 * come before everybody again. */
static void
conn_pause(struct mariadb_conn *c)
{
    c->paused = true;
    event_del(c->read_event);
    event_active(c->later, EV_TIMEOUT, 0);
}

static void
conn_read_rows(struct mariadb_conn *c, MYSQL_ROW row, bool have_row)
{
    unsigned n = mysql_num_fields(c->result), taken = 0;
    int wants;

    for (;;) {
        if (have_row && row == NULL) {
            if (mysql_errno(c->mysql) != 0)
                conn_statement_failed(c);
            else if (c->silent)
                conn_lose(c); /* its last row came too late: the socket is shut already */
            else
                conn_statement_over(c, STATEMENT_DONE);
            return;
        }
        if (have_row) {
            c->statement->on_row(c->statement, row, mysql_fetch_lengths(c->result), n);
            if (++taken == ROWS_AT_ONCE) {
                conn_pause(c);
                return;
            }
        }
        if ((wants = mysql_fetch_row_start(&row, c->result)) != 0) {
            mariadb_conn_wait(c, wants);
            return;
        }
        have_row = true;
    }
}

void
mariadb_conn_query_sent(struct mariadb_conn *c, int failed)
{
    if (failed) {
        conn_statement_failed(c);
        return;
    }
    if ((c->result = mysql_use_result(c->mysql)) == NULL) {
        if (mysql_errno(c->mysql) != 0)
            conn_statement_failed(c);
        else
            conn_statement_over(c, STATEMENT_DONE);
        return;
    }
    c->state = CONN_ROWS;
    c->statement->on_fields(c->statement, mysql_fetch_fields(c->result),
                            mysql_num_fields(c->result));
    conn_read_rows(c, NULL, false);
}

void
mariadb_conn_pump_query(struct mariadb_conn *c, int happened)
{
    int failed = 0, wants;

    wants = mysql_real_query_cont(&failed, c->mysql, happened);
    if (wants != 0)
        mariadb_conn_wait(c, wants);
    else
        mariadb_conn_query_sent(c, failed);
}

void
mariadb_conn_pump_rows(struct mariadb_conn *c, int happened)
{
    MYSQL_ROW row = NULL;
    int wants;

    if (c->paused) {
        c->paused = false;
        if (c->on_socket)
            event_add(c->read_event, NULL);
        conn_read_rows(c, NULL, false);
        return;
    }
    wants = mysql_fetch_row_cont(&row, c->result, happened);
    if (wants != 0)
        mariadb_conn_wait(c, wants);
    else
        conn_read_rows(c, row, true);
}
