/*
 * lastwords.h - what a worker leaves when it crashes.
 *
 * Owns: the crash handlers, on a stack of their own, and what a failed assertion says.
 * Promise: the process still dies of its signal, core and all; a sanitizer's handlers are
 * left alone.
 */
#ifndef SERVER_WORKER_LASTWORDS_H
#define SERVER_WORKER_LASTWORDS_H

#include "server/protocol/protocol.h"
#include "server/stats/blackbox.h"

/* In a fresh worker: from now on a crash leaves its traces in 'box'. */
void lastwords_init(struct blackbox *box);

/* A request came. */
void lastwords_note(struct blackbox *box, const struct command *command, usec_t now);

#endif
