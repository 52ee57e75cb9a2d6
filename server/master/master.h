/*
 * master.h - the process that raises the others.
 *
 * Owns: listening sockets, the scoreboard, the children.  Promise: it never sleeps
 * outside ppoll(2), never blocks, never talks to a stranger and never exits because a
 * worker died.  Never knows: libevent, libmariadb, a client's byte.
 */
#ifndef SERVER_MASTER_MASTER_H
#define SERVER_MASTER_MASTER_H

#include "common/compiler.h"
#include "server/config/config.h"

/* Serves until it is told to stop; returns the exit code.  'ready' is called once, when
 * every worker serves (a daemon lets its launcher go then). */
int master_run(const struct config *config, void (*ready)(void *arg), void *arg);

#endif
