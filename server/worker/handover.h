/*
 * handover.h - a connection moves from a worker that retires to one that stays.
 *
 * Owns: the words the two exchange over a socket the master made for them, one datagram
 * for each connection and one for its receipt:
 *
 *     retiring worker                                    heir
 *       stops reading, answers what was asked
 *       head, session, input + the descriptor  ------->  takes it in, reads nothing yet
 *       closes its own copy                    <-------  receipt: taken
 *       answers it to the end, closes          <-------  receipt: refused
 *       serves it on, asks for other heirs     <-------  (the heir died)
 *
 * Promise: at every moment one of the two, and not both, would read from it.  A connection
 * goes down only with a worker that has it, never on the way.
 *
 * The two may be different programs (an upgrade), so the head holds by itself what a
 * session between two requests is; one in the middle of a request moves only between
 * programs that agree on its layout.
 */
#ifndef SERVER_WORKER_HANDOVER_H
#define SERVER_WORKER_HANDOVER_H

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/list.h"
#include "server/protocol/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct event;
struct worker;

/* Heirs of one worker; their descriptors come in one message. */
#define HEIRS_MAX FDPASS_MAX

/* One who takes clients over. */
struct heir {
    struct worker *worker;
    int fd;
    size_t slot; /* in the scoreboard */
    bool full;   /* has no room for the next one now */
    struct event *read_event;
    struct event *write_event;
    struct list sent; /* clients without a receipt yet, in order */
    unsigned nsent;
};

/* Changes with the struct below. */
#define HANDOVER_MAGIC 0x66680001u

/* Input of a request that is not whole yet: with the head up to here, beyond in a memfd
 * behind the second descriptor. */
#define HANDOVER_INLINE ((size_t)16 << 10)

struct handover_head {
    uint32_t magic;
    uint32_t layout;  /* of the session behind this head */
    uint32_t at_rest; /* the session is between two requests */
    uint32_t session_bytes;
    uint64_t input_bytes;
    uint64_t heard;
    uint64_t line_since;
    uint32_t nerrors;
    /* of a session at rest */
    uint32_t resp;
    uint32_t resp3;
    char name[SESSION_NAME_MAX];
    uint64_t id;
};

struct handover_receipt {
    uint32_t magic;
    uint32_t taken;
};

/* What the layout of struct session is known by. */
uint32_t handover_layout(void);

/* Fills what the head says of the session. */
void handover_put_session(const struct session *s, struct handover_head *head);

/* The session a head speaks of; 'whole' are the bytes behind it.  false: it is in the
 * middle of a request and its layout is not ours. */
bool handover_get_session(const struct handover_head *head, const char *whole,
                          struct session *out) MUST_CHECK;

/* --- the retiring worker: handover_give.c --- */

/* Clients go to this one too; takes the descriptor. */
void heir_add(struct worker *w, int fd, size_t slot);

/* End of the turn: hands over who may go.  Others follow when they are answered. */
void heirs_give(struct worker *w);

/* Lets go of them; who is on the way may arrive or not, it is theirs now. */
void heirs_close(struct worker *w);

/* --- the heir: handover_take.c --- */

/* Clients come this way; takes the descriptor. */
void donor_add(struct worker *w, int fd);

/* Takes no more: those on the way stay with whom they are. */
void donors_close(struct worker *w);

#endif
