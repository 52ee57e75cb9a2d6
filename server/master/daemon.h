/*
 * daemon.h - into the background, but not before it is known to work.
 *
 * Owns: the launcher that waits for the daemon's word and exits with it: 0 when every
 * worker serves, otherwise the daemon's own exit code.  What goes wrong meanwhile is
 * said on the launcher's standard error, because it is the daemon's too.
 */
#ifndef SERVER_MASTER_DAEMON_H
#define SERVER_MASTER_DAEMON_H

#include "common/compiler.h"

/* How this server was started. */
struct daemon_launch {
    int word_fd;   /* -1: nobody waits */
    int given_fds; /* listening sockets that came with it, from ACTIVATION_FIRST_FD on */
};

/* clang-format off */
#define DAEMON_LAUNCH_INIT { -1, 0 }
/* clang-format on */

/* Forks; returns in the daemon only.  -1 with errno. */
int daemon_begin(struct daemon_launch *launch) MUST_CHECK;

/* In a worker: lets go of the terminal and of the launcher, who waits for the master
 * only. */
void daemon_leave(struct daemon_launch *launch);

/* Lets the launcher go with exit code 0 and leaves the terminal. */
void daemon_ready(struct daemon_launch *launch);

#endif
