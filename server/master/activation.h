/*
 * activation.h - listening sockets that a service manager made before us.
 *
 * Owns: the protocol of LISTEN_FDS: descriptors from 3 on, meant for the process whose
 * pid is LISTEN_PID.  Promise: what is no listening stream socket is refused in words (a
 * server that took over a UDP socket as TCP is how others learnt it); the variables are
 * gone before anybody is forked.
 */
#ifndef SERVER_MASTER_ACTIVATION_H
#define SERVER_MASTER_ACTIVATION_H

#include "common/compiler.h"

#include <stdbool.h>

#define ACTIVATION_FIRST_FD 3

/* How many descriptors we were given, from ACTIVATION_FIRST_FD on; 0: none, or meant for
 * another process.  Takes the variables away; call once, before anything is opened. */
int activation_take(void) MUST_CHECK;

/* Is this a listening stream socket that we can serve on?  Makes it non-blocking and
 * close-on-exec.  false: '*why' says what it is instead. */
bool activation_check(int fd, const char **why) MUST_CHECK;

#endif
