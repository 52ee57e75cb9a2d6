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

struct daemon_launch;

/* Serves until it is told to stop; returns the exit code.  A launcher that waits is let
 * go once every worker serves. */
int master_run(const struct config *config, struct daemon_launch *launch);

#endif
