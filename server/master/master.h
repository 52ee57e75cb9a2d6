/*
 * master.h - the process that raises the others.
 *
 * Owns: listening sockets, the scoreboard, the children.  Promise: it never sleeps
 * outside ppoll(2), never talks to a stranger and never exits because a worker died.
 * Never knows: libevent, libmariadb, a client's byte.
 */
#ifndef SERVER_MASTER_MASTER_H
#define SERVER_MASTER_MASTER_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/config.h"

struct daemon_launch;

/* How the master gets at what only main knows: borrowed, and called at a reload. */
struct master_plan {
    /* A new configuration, ready for use; NULL: 'error' holds one sentence. */
    struct config *(*load)(void *arg, struct buf *error);
    void *arg;
    const char *program; /* what to execute at an upgrade: an absolute path */
    char **argv;         /* and with what, as we were started */
};

/* Serves until it is told to stop; returns the exit code.  Takes the configuration, the
 * first one.  A launcher that waits is let go once every worker serves.  'carried' is what
 * the program before this one left (carry_find), or -1. */
int master_run(const struct master_plan *plan, struct config *config,
               struct daemon_launch *launch, int carried);

#endif
