/*
 * ask.h - the other end of the control socket: "fetchd -s VERB".
 *
 * Owns: finding the master and telling the operator what came of it.  A master is found
 * by its lock, never by the number in its pid file, which may be anybody's by now.
 */
#ifndef SERVER_MASTER_ASK_H
#define SERVER_MASTER_ASK_H

#include "common/compiler.h"
#include "server/master/command.h"

#include <stdbool.h>

/* Asks and returns the exit code (enum command_code).  Without 'wait' it returns when the
 * master has begun; with it, when all is done ("status": when it is no longer starting).  What there is to say goes to standard
 * output, or to standard error when it failed. */
int ask_master(enum command_verb verb, bool wait, const char *pid_file) MUST_CHECK;

#endif
