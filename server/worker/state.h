/*
 * state.h - a worker from the inside: the one struct its rooms share.
 *
 * Owns: the shape of struct worker and the order of a turn of its loop:
 *
 *     events: bytes in -> requests -> wants; rows in -> results; deadlines -> timeouts
 *     then:   settle hits -> send what was wanted -> write what is little or late
 *     then:   parse -> settle batches, plan -> write what is much -> free, one after the
 *             other while the turn's share lasts; the next turn goes on with the next of
 *             them.  Not after reading that was longer than its own share, nor when a large
 *             batch came back: in the next turn, then
 *     then:   beat
 *
 * So whoever asks for little is heard, asked for and answered in every turn, and waits for
 * one share of what others asked for, not for one of each kind.
 *
 * Nothing is freed inside a callback; a client that closes is marked and freed at the
 * end of the turn.
 */
#ifndef SERVER_WORKER_STATE_H
#define SERVER_WORKER_STATE_H

#include "common/buf.h"
#include "common/heap.h"
#include "common/list.h"
#include "server/protocol/protocol.h"
#include "server/source/loader.h"
#include "server/source/lookup.h"
#include "server/source/source.h"
#include "server/worker/handover.h"
#include "server/worker/hits.h"
#include "server/worker/look.h"
#include "server/worker/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct event_base;
struct blackbox;
struct mariadb;
struct views;
struct acceptor;
struct client;

/* Read from a client at most this much at once; what is left waits its turn. */
#define WORKER_READ_BYTES ((size_t)64 << 10)

/* What reading may take of a turn, and what the work that is left over: a deadline or a
 * small request that comes meanwhile waits no longer.  The rest goes on in the next turn,
 * behind what came.  Reading has more because batches grow by it: with 30 us, 32 clients
 * of one id each had statements of 25 ids instead of 28 (scripts/load-test). */
#define WORKER_SHARE (usec_t)50
#define WORKER_SHARE_LEFT (usec_t)25

/* Who comes first among events that are ready: deadlines, then sources, then clients. */
enum worker_priority {
    PRIORITY_DEADLINE,
    PRIORITY_SOURCE, /* what libevent gives by itself: the middle */
    PRIORITY_CLIENT,
    PRIORITY_COUNT,
};

enum worker_state {
    WORKER_STARTING, /* waits for the first word on every database */
    WORKER_SERVING,
    WORKER_RETIRING, /* accepts nobody, hands its clients over as they are answered */
    WORKER_DRAINING, /* accepts nobody, answers what is in the works and closes */
    WORKER_DONE,
};

struct worker {
    const struct worker_heritage *heritage;
    const struct config *config;
    struct scoreboard_slot *slot;
    struct blackbox *box;
    struct metrics *metrics;
    struct event_base *base;
    enum worker_state state;
    bool waits; /* STARTING: could serve, but worse than those who do */
    int exit_code;
    usec_t drain_until;

    /* where items come from; source i of the configuration has loader i, and the views
     * stand behind those sources */
    struct mariadb **databases;
    size_t databases_settled;
    struct source **sources;
    size_t nsources; /* with the views */
    struct views *views;
    struct loader **loaders;
    struct lookup *lookups; /* what the cache knows of source i */
    struct look look;
    struct hits hits;
    size_t first_loader; /* flushed first this turn; they take turns */

    usec_t share_ends; /* of the present duty; 0: not begun */
    size_t duty;       /* what this turn goes on with */
    bool put_off;      /* the duties of this turn */

    struct acceptor *acceptor;
    bool listeners_closed;
    uint64_t last_session;
    struct parser parser;
    char *read_buffer; /* twice WORKER_READ_BYTES, see hits_read_room */
    size_t read_used;  /* input of the fetches that wait */

    struct list clients;
    struct list to_parse;       /* clients with unread input that may go on now */
    struct list to_write;       /* clients with much to say */
    struct list to_write_first; /* clients with little to say, or late */
    struct list to_free;        /* clients that closed in this turn */
    struct list blocked;        /* clients whose socket is full, or who linger */
    struct list to_plan;        /* clients with ids that are not looked up yet */

    struct heir *heirs[HEIRS_MAX]; /* who gets our clients, while there are any */
    size_t nheirs;
    struct list donors; /* whose clients we get */

    struct heap deadlines; /* of requests */
    int deadline_fd;       /* timerfd */
    usec_t deadline_armed; /* 0: not armed */

    struct event *deadline_event;
    struct event *wake_event; /* other workers: leases ended */
    struct event *control_event;
    struct event *beat_event;
    struct event *term_event;
    struct event *quit_event;
};

/* Do its requests hold all the memory that they may? */
static inline bool
worker_busy(const struct worker *w)
{
    return metrics_get(w->metrics, METRIC_held_bytes) >= w->config->memory_max_bytes;
}

/* The share of what comes now begins, unless one has begun. */
static inline void
worker_share_begin(struct worker *w, usec_t now)
{
    if (w->share_ends == 0)
        w->share_ends = now + WORKER_SHARE;
}

/* Is the present share over? */
static inline bool
worker_share_over(struct worker *w, usec_t now)
{
    worker_share_begin(w, now);
    return now >= w->share_ends;
}

/* The first of a list of duties, taken off it; NULL: none is left, or the share is over.
 * The clock is looked at when there is something to do: 25 ns, several times a turn. */
static inline struct list *
worker_next(struct worker *w, struct list *list)
{
    if (list_empty(list) || worker_share_over(w, clock_now()))
        return NULL;
    return list_pop(list);
}

/* --- deadlines.c --- */

/* -1 with errno: no timer could be had. */
int deadlines_open(struct worker *w) MUST_CHECK;
void deadlines_close(struct worker *w);

/* Between the duties of a turn: ends the requests whose time is up. */
void deadlines_check(struct worker *w);

/* A request that 'at' ended was answered by now: counts how late that was. */
void deadlines_count(struct worker *w, usec_t at, usec_t now);

/* End of the turn: makes the timer fire for the earliest deadline. */
void deadlines_arm(struct worker *w);

/* --- planner.c --- */

/* Looks up the open places of planned requests, in turn, at most loader.turn_ids of
 * them; the rest resumes in the next turn. */
void planner_run(struct worker *w);

/* Looks up what 'client' asked last now, if it is little and nothing of it waits. */
void planner_run_now(struct worker *w, struct client *client);

/* --- sources.c --- */

/* Opens every database and makes loaders; false: no memory. */
bool sources_open(struct worker *w) MUST_CHECK;
void sources_close(struct worker *w);

/* What came back from the sources and is not settled: goes on with it while the share
 * lasts, a piece at least. */
bool sources_settling(const struct worker *w);
void sources_settle(struct worker *w);

/* End of the turn: tables to look at, batches to send. */
void sources_flush(struct worker *w, usec_t now);

/* Which source a key means, and what is left of it as an id.  SOURCE_NONE: the key names
 * one that does not exist, so it is no id. */
#define SOURCE_NONE SIZE_MAX
size_t sources_resolve(const struct worker *w, struct span key, struct span *id);

/* Makes a command an error when it asks for a field that a source of its keys has not. */
void sources_check(const struct worker *w, struct command *command);

/* For struct reply: describes every source. */
void sources_each(void *worker, void (*line)(struct buf *out, struct span text),
                  struct buf *out);

/* --- worker.c --- */

/* A word to the master; 'text' may be "". */
void worker_say(struct worker *w, enum worker_word word, const char *text);

/* Every database has been heard of: begin to serve. */
void worker_settled(struct worker *w);

/* A source cannot work as configured: while the server starts this ends the worker, and
 * with it the start; later the source is down and the others go on. */
void worker_refused(struct worker *w, const char *source, const char *why);

#endif
