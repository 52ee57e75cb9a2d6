/*
 * mariadb_conn.c - one non-blocking connection to MariaDB: its life and its timer.
 *
 * Connector/C runs each call in a coroutine: a _start or _cont returns what it waits
 * for, 0 when it is through.  The traps, all of them measured with 3.3:
 *   - a second _start while one is suspended is not detected: 'state' guards;
 *   - a _start may finish at once: the rest is done from the loop ('kick'), so nothing
 *     recurses into the caller;
 *   - any call may close the socket, and the next socket gets the same number: while
 *     connecting the event is deleted before every call; while connected it is
 *     persistent (3 system calls fewer a statement) and deleted as soon as the handle
 *     is found dead, before anything else can open a descriptor;
 *   - the library's timeouts are whole seconds: ours is an event timer and shutdown(2),
 *     which ends a suspended call with error 2013 at once;
 *   - MYSQL_OPT_NONBLOCK is mandatory, RECONNECT would lose the event: off.
 */
#include "server/source/mariadb_conn_state.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every session looks at data the same way, whatever the server's defaults: times in
 * UTC, no sql_mode that changes what a SELECT returns (PAD_CHAR_TO_FULL_LENGTH), and it
 * cannot write. */
#define SESSION_SETUP "SET SESSION sql_mode='', time_zone='+00:00', tx_read_only=1"

/* How long past its own limit a statement may be silent before the handle is given up. */
#define SILENCE (100 * USEC_PER_MSEC)

static void conn_pump(struct mariadb_conn *c, int happened);

/* --- timer ------------------------------------------------------------------ */

/* Makes 'due' the moment conn_on_timer acts; 0 forgets it.  A timer that is pending for
 * an earlier moment is left alone and re-armed when it fires: most statements end long
 * before, so they cost no timer operation at all. */
void
mariadb_conn_set_due(struct mariadb_conn *c, usec_t due, usec_t now)
{
    usec_t left = due > now ? due - now : 0;
    struct timeval tv = { (time_t)(left / USEC_PER_SEC),
                          (suseconds_t)(left % USEC_PER_SEC) };

    c->due = due;
    if (due == 0 || (c->armed != 0 && c->armed <= due))
        return;
    evtimer_add(c->timer, &tv);
    c->armed = due;
}

/* --- closing ---------------------------------------------------------------- */

static void
conn_drop_events(struct mariadb_conn *c)
{
    event_del(c->read_event);
    event_del(c->write_event);
    event_del(c->kick);
    event_del(c->later);
    c->paused = false;
    c->on_socket = false;
}

static void
conn_close(struct mariadb_conn *c)
{
    conn_drop_events(c);
    if (c->mysql == NULL)
        return;
    /* A goodbye to a server that hangs could block on a full socket; to a socket that
     * is shut down it cannot. */
    if (c->state != CONN_IDLE && mysql_get_socket(c->mysql) != MARIADB_INVALID_SOCKET)
        shutdown(mysql_get_socket(c->mysql), SHUT_RDWR);
    mysql_close(c->mysql);
    c->mysql = NULL;
}

/* Waits before the next attempt: doubling, with jitter so that workers that lost the
 * same server do not come back in the same millisecond. */
static usec_t
conn_retry_delay(const struct mariadb_conn *c)
{
    usec_t min = c->config->reconnect_min_ms * USEC_PER_MSEC;
    usec_t max = c->config->reconnect_max_ms * USEC_PER_MSEC;
    unsigned doublings = c->failures > 16 ? 16 : c->failures;
    usec_t delay = doublings == 0 ? 0 : min << (doublings - 1);

    if (delay > max)
        delay = max;
    return delay - (usec_t)((double)delay * 0.2 * drand48());
}

/* The connection is gone or could not be made. */
void
mariadb_conn_fail(struct mariadb_conn *c, const char *text)
{
    usec_t now = clock_now(), delay;
    unsigned code = c->mysql == NULL ? 0 : mysql_errno(c->mysql);
    char why[256];

    snprintf(why, sizeof(why), "%s", text);
    conn_close(c);
    if (c->state == CONN_CONNECTING) {
        metrics_add(c->metrics, METRIC_db_connect_failures, 1);
        c->down = true;
        c->failures++;
    } else {
        metrics_add(c->metrics, METRIC_db_disconnects, 1);
        metrics_sub(c->metrics, METRIC_db_up, 1);
        /* Let in and thrown out again without a statement in between counts as down. */
        c->down = c->failures > 0;
    }
    delay = conn_retry_delay(c);
    if (c->state != CONN_CONNECTING)
        c->failures++; /* the first loss is mended at once */
    c->state = CONN_WAITING;
    mariadb_conn_set_due(c, now + delay + 1, now);
    c->events->down(c->arg, code, why);
}

/* --- events ------------------------------------------------------------------ */

/* Goes on with a statement whose sending call finished at once.  The socket may be
 * readable in the same turn and come first; whoever comes second finds nothing to do. */
static void
conn_take_up(struct mariadb_conn *c)
{
    if (!c->through)
        return;
    c->through = false;
    mariadb_conn_query_sent(c, c->through_failed);
}

/* Readable while nothing was asked: gone, unless the event is an old one. */
static void
conn_check_idle(struct mariadb_conn *c)
{
    char byte;
    ssize_t n = recv(mysql_get_socket(c->mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    mariadb_conn_fail(c, "the server closed the connection");
}

static void
conn_on_socket(evutil_socket_t fd, short what, void *arg)
{
    int happened = ((what & EV_READ) ? MYSQL_WAIT_READ : 0) |
                   ((what & EV_WRITE) ? MYSQL_WAIT_WRITE : 0);

    (void)fd;
    conn_pump(arg, happened);
}

static void
conn_on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    conn_take_up(arg);
}

static void
conn_on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    conn_pump(arg, 0);
}

/* Waits for what the suspended call asked for. */
void
mariadb_conn_wait(struct mariadb_conn *c, int wants)
{
    evutil_socket_t fd = mysql_get_socket(c->mysql);

    if (!c->on_socket) {
        event_assign(c->read_event, c->base, fd, EV_READ | EV_PERSIST, conn_on_socket, c);
        event_assign(c->write_event, c->base, fd, EV_WRITE, conn_on_socket, c);
        c->on_socket = true;
    }
    if (wants & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT) &&
        !event_pending(c->read_event, EV_READ, NULL))
        event_add(c->read_event, NULL);
    if (wants & MYSQL_WAIT_WRITE)
        event_add(c->write_event, NULL);
}

/* --- connecting -------------------------------------------------------------- */

static void
conn_set_options(struct mariadb_conn *c)
{
    my_bool off = 0;
    unsigned int no_infile = 0;
    size_t packet_max = c->packet_max;

    mysql_options(c->mysql, MYSQL_OPT_NONBLOCK, 0);
    mysql_options(c->mysql, MYSQL_OPT_RECONNECT, &off);
    mysql_options(c->mysql, MYSQL_OPT_LOCAL_INFILE, &no_infile);
    mysql_options(c->mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max);
    mysql_options(c->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(c->mysql, MYSQL_INIT_COMMAND, SESSION_SETUP);
    mysql_optionsv(c->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "fetchd");
}

static void
conn_connected(struct mariadb_conn *c, MYSQL *connected)
{
    if (connected == NULL) {
        mariadb_conn_fail(c, mysql_error(c->mysql));
        return;
    }
    metrics_add(c->metrics, METRIC_db_connects, 1);
    metrics_add(c->metrics, METRIC_db_up, 1);
    c->state = CONN_IDLE;
    c->down = false;
    mariadb_conn_set_due(c, 0, clock_now());
    /* From now on readable while idle means: the server has gone. */
    mariadb_conn_wait(c, MYSQL_WAIT_READ);
    c->events->connected(c->arg);
}

static void
conn_begin(struct mariadb_conn *c)
{
    const struct config_database *db = c->config;
    const char *host = db->socket != NULL || db->nhost_addrs == 0
                           ? "localhost"
                           : db->host_addrs[c->failures % db->nhost_addrs];
    usec_t now = clock_now();
    MYSQL *connected = NULL;
    int wants;

    c->silent = false;
    c->through = false;
    c->state = CONN_CONNECTING;
    if ((c->mysql = mysql_init(NULL)) == NULL) {
        mariadb_conn_fail(c, "no memory");
        return;
    }
    conn_set_options(c);
    mariadb_conn_set_due(c, now + db->connect_timeout_ms * USEC_PER_MSEC, now);
    wants = mysql_real_connect_start(&connected, c->mysql, host, db->user, db->password,
                                     db->schema, db->socket != NULL ? 0 : db->port,
                                     db->socket, 0);
    if (wants != 0)
        mariadb_conn_wait(c, wants);
    else
        conn_connected(c, connected);
}

static void
conn_pump_connect(struct mariadb_conn *c, int happened)
{
    MYSQL *connected = NULL;
    int wants;

    conn_drop_events(c);
    wants = mysql_real_connect_cont(&connected, c->mysql, happened);
    if (wants != 0)
        mariadb_conn_wait(c, wants);
    else
        conn_connected(c, connected);
}

/* Something happened on the socket. */
static void
conn_pump(struct mariadb_conn *c, int happened)
{
    switch (c->state) {
    case CONN_WAITING:
        break;
    case CONN_CONNECTING:
        conn_pump_connect(c, happened);
        break;
    case CONN_IDLE:
        conn_check_idle(c);
        break;
    case CONN_QUERY:
        if (c->through)
            conn_take_up(c);
        else
            mariadb_conn_pump_query(c, happened);
        break;
    case CONN_ROWS:
        mariadb_conn_pump_rows(c, happened);
        break;
    }
}

static void
conn_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct mariadb_conn *c = arg;
    usec_t now = clock_now();

    (void)fd;
    (void)what;
    c->armed = 0;
    if (c->due == 0)
        return;
    if (now < c->due) {
        mariadb_conn_set_due(c, c->due, now);
        return;
    }
    c->due = 0;
    switch (c->state) {
    case CONN_WAITING:
        conn_begin(c);
        break;
    case CONN_CONNECTING:
        mariadb_conn_fail(c, "no answer within connect_timeout");
        break;
    case CONN_IDLE:
        break;
    case CONN_QUERY:
    case CONN_ROWS:
        /* The suspended call ends with an error in the next turn and cleans up. */
        c->silent = true;
        if (mysql_get_socket(c->mysql) != MARIADB_INVALID_SOCKET)
            shutdown(mysql_get_socket(c->mysql), SHUT_RDWR);
        break;
    }
}

/* --- public ------------------------------------------------------------------ */

struct mariadb_conn *
mariadb_conn_new(struct event_base *base, const struct config_database *config,
                 size_t packet_max, struct metrics *metrics,
                 const struct mariadb_conn_events *events, void *arg)
{
    struct mariadb_conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->base = base;
    c->config = config;
    c->packet_max = packet_max;
    c->metrics = metrics;
    c->events = events;
    c->arg = arg;
    c->state = CONN_WAITING;
    c->timer = evtimer_new(base, conn_on_timer, c);
    c->kick = event_new(base, -1, 0, conn_on_kick, c);
    c->later = event_new(base, -1, 0, conn_on_later, c);
    /* Made once and told each new socket: connecting needs no memory of ours. */
    c->read_event = event_new(base, -1, 0, conn_on_socket, c);
    c->write_event = event_new(base, -1, 0, conn_on_socket, c);
    if (c->timer == NULL || c->kick == NULL || c->later == NULL ||
        c->read_event == NULL || c->write_event == NULL ||
        event_priority_set(c->later, event_base_get_npriorities(base) - 1) == -1) {
        mariadb_conn_free(&c);
        return NULL;
    }
    mariadb_conn_set_due(c, clock_now() + 1, clock_now());
    return c;
}

/* Those that there are: a connection may have been made by half only. */
static void
conn_free_events(struct mariadb_conn *c)
{
    struct event *events[] = { c->timer, c->kick, c->later, c->read_event,
                               c->write_event };
    size_t i;

    for (i = 0; i < ARRAY_LEN(events); i++) {
        if (events[i] != NULL)
            event_free(events[i]);
    }
}

void
mariadb_conn_free(struct mariadb_conn **conn)
{
    struct mariadb_conn *c = *conn;

    if (c == NULL)
        return;
    if (c->state == CONN_QUERY || c->state == CONN_ROWS) {
        /* Let the suspended call unwind, so that it frees what it holds. */
        if (mysql_get_socket(c->mysql) != MARIADB_INVALID_SOCKET)
            shutdown(mysql_get_socket(c->mysql), SHUT_RDWR);
        while (c->state == CONN_QUERY || c->state == CONN_ROWS)
            conn_pump(c, MYSQL_WAIT_READ);
    }
    if (c->mysql != NULL)
        conn_close(c);
    conn_free_events(c);
    free(c);
    *conn = NULL;
}

bool
mariadb_conn_idle(const struct mariadb_conn *conn)
{
    return conn->state == CONN_IDLE;
}

bool
mariadb_conn_down(const struct mariadb_conn *conn)
{
    return conn->down;
}

void
mariadb_conn_run(struct mariadb_conn *conn, struct mariadb_statement *s, struct span sql,
                 usec_t budget)
{
    usec_t now = clock_now();
    int wants;

    assert(conn->state == CONN_IDLE && conn->statement == NULL);
    conn->statement = s;
    conn->state = CONN_QUERY;
    mariadb_conn_set_due(conn, now + budget + SILENCE, now);
    wants = mysql_real_query_start(&conn->through_failed, conn->mysql, sql.p,
                                   (unsigned long)sql.n);
    conn->through = wants == 0;
    if (wants != 0)
        mariadb_conn_wait(conn, wants);
    else
        event_active(conn->kick, EV_TIMEOUT, 0);
}
