/*
 * client.h - one connection: bytes in, lines out.
 *
 * Owns: the socket, its input not yet parsed, its output not yet sent, its requests in
 * order, and every bound on them.
 * Promise: answers leave in request order (tagged ones when they are ready), in one
 * write per turn; a client that does not read is stopped, then closed; nothing that was
 * answered is destroyed by the way we close.
 */
#ifndef SERVER_WORKER_CLIENT_H
#define SERVER_WORKER_CLIENT_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/list.h"
#include "server/protocol/protocol.h"
#include "server/source/loader.h"

#include <stdbool.h>
#include <stddef.h>

struct event;
struct item_result;
struct request;
struct worker;

/* An idle connection keeps buffers of this size, no larger. */
#define CLIENT_KEEP_BYTES ((size_t)16 << 10)

enum client_state {
    CLIENT_OPEN,
    CLIENT_FINISHING, /* no more requests; closes when all is answered and sent */
    CLIENT_LINGERING, /* all is sent; waits for the peer to close, discards its bytes */
    CLIENT_CLOSED,    /* freed at the end of the turn */
};

struct client {
    struct list link;     /* worker.clients, later worker.to_free */
    struct list in_parse; /* worker.to_parse */
    struct list in_plan;  /* worker.to_plan */
    struct list in_write; /* worker.to_write, or to_write_first */
    struct list in_blocked;
    struct list in_move; /* heir.sent: not ours any more, but for a receipt */
    struct worker *worker;
    int fd;
    enum client_state state;
    bool eof;  /* the peer will send no more */
    bool deaf; /* we read no more; what came is still answered */
    bool reading;
    bool waits; /* a fetch of it, and counts in nrequests: see hits.h */
    struct event *read_event;
    struct event *write_event;
    struct session session;
    struct buf in;
    usec_t born;
    usec_t heard;      /* when its last bytes came; as 'born': none did yet */
    usec_t line_since; /* when the request that is not whole yet began; 0: none */
    unsigned nerrors;
    struct buf out;
    usec_t stalled_since; /* when output last made progress */
    usec_t linger_until;
    struct list requests; /* untagged, in order */
    struct list tagged;
    struct request *saying; /* said in part: nothing else may come before its rest */
    struct list to_plan;    /* requests with places that are not looked up yet */
    unsigned nrequests;
    size_t nids;                /* positions of those requests */
    size_t held;                /* what they weigh, with the items they hold */
    struct loader_flow flows[]; /* one for each source */
};

/* Takes the descriptor.  NULL: no memory, and it is closed. */
struct client *client_new(struct worker *w, int fd) MUST_CHECK;

/* Answers no new request; closes when what is in the works is sent. */
void client_finish(struct client *c);

/* Closes at once; 'reason' is for the log.  Freed at the end of the turn. */
void client_close(struct client *c, const char *reason);

/* Takes no new requests and closes the idle: the worker drains.  Who came just now and
 * has said nothing yet is spared until the next time. */
void client_drain(struct client *c);

/* Makes a request of a command whose first places were looked up: what is known of them
 * is in worker.look and 'results'.  NULL: no memory, and the client is closed. */
struct request *client_request(struct client *c, struct command *command,
                               const struct item_result *results, usec_t now);

/* Something was said: takes up what was put off meanwhile. */
void client_go_on(struct client *c);

/* Reads from it or not, as its bounds allow now. */
void client_update_reading(struct client *c);

/* --- client_write.c --- */

/* Something of the client's can be said now; called from anywhere in a turn. */
void client_ready(struct client *c);

/* The same, before everybody else: a deadline has passed. */
void client_ready_first(struct client *c);

/* --- called by the worker at the end of a turn --- */

void clients_parse(struct worker *w);
/* To those to whom there is little to say, or late; to the others. */
void clients_write_first(struct worker *w);
void clients_write(struct worker *w);
void clients_free(struct worker *w);

/* Closes clients that read too slowly, linger too long, are idle for too long or do not
 * finish their request. */
void clients_tick(struct worker *w, usec_t now);

#endif
