/*
 * hits.h - requests that need nobody.
 *
 * Owns: the short way of a request whose every id is known at once: parse, look, reply.
 * No request is made of it, no deadline, no place in a queue; its keys are never copied.
 * And small fetches that came in one turn and wait for each other, so that they wait for
 * memory together: they are settled first thing after the events.
 */
#ifndef SERVER_WORKER_HITS_H
#define SERVER_WORKER_HITS_H

#include "common/clock.h"
#include "common/compiler.h"
#include "server/protocol/protocol.h"
#include "server/worker/look.h"

#include <stdbool.h>

struct client;
struct worker;

/* A fetch that waits; its keys and what they are made of stand in the input. */
struct hits_waiting {
    struct client *client; /* NULL: it has closed */
    struct command command;
    usec_t now;   /* when it was taken */
    size_t first; /* its first place */
};

/* The fetches that wait, and their places one behind the other. */
struct hits {
    struct hits_waiting waiting[LOOK_GROUP];
    size_t n;
    size_t settled; /* of those; all: the queue is empty again */
    struct span keys[LOOK_GROUP];
    struct item_result results[LOOK_GROUP];
    struct glance glances[LOOK_GROUP];
    size_t nplaces;
    size_t near; /* of those, on their way from memory */
};

/* true: 'command' was taken and waits; until it is settled it counts as one of its client's
 * requests, its input must stay where it is, and its client must not be parsed further.
 * false: it is too large, or of no kind that the cache can answer at once. */
bool hits_wait(struct client *c, const struct command *command, usec_t now) MUST_CHECK;

/* Looks up those that wait and answers them, or makes requests of them: until the share
 * of the turn is over, or all of them. */
void hits_settle(struct worker *w);
void hits_settle_all(struct worker *w);

/* The client closes: nobody answers what waits. */
void hits_forget(struct client *c);

/* Where WORKER_READ_BYTES may be read to, from whomever: behind the input of those that
 * wait. */
char *hits_read_room(struct worker *w);

/* A fetch that need not wait.  true: answered, the reply stands in the client's output.
 * Else nothing happened but the look itself: worker.look holds what is known of the first
 * places, and 'results' (LOOK_MAX) with it. */
bool hits_answer(struct client *c, const struct command *command, usec_t now,
                 struct item_result *results) MUST_CHECK;

#endif
