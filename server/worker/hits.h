/*
 * hits.h - requests that need nobody.
 *
 * Owns: the short way of a request whose every id is known at once: parse, look, reply.
 * No request is made of it, no deadline, no place in a queue; its keys are never copied.
 */
#ifndef SERVER_WORKER_HITS_H
#define SERVER_WORKER_HITS_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>

struct client;
struct command;

/* true: answered, the reply stands in the client's output.  Else nothing happened but
 * the look itself: worker.look holds what is known of the first places, in
 * worker.hits. */
bool hits_answer(struct client *c, const struct command *command, usec_t now) MUST_CHECK;

#endif
