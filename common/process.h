/*
 * process.h - what a process says and knows of itself.
 *
 * Owns: the process title and a few calls about identity that are easy to get wrong.
 */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include "common/compiler.h"

#include <stdbool.h>
#include <sys/types.h>

/* Takes the room of argv and of the environment, which moves elsewhere, for process_title;
 * call first in main, once.  From then on /proc/PID/environ shows nothing, so no password
 * either; a program that execve starts gets the environment as it then is.
 * Returns a copy of the arguments that stays as it is, to be used from then on; NULL: no
 * memory. */
char **process_title_init(int argc, char **argv) MUST_CHECK;

/* The path this program was executed by, made absolute; symbolic links stay, so that it
 * names what is installed there later.  It lives as long as the process; NULL with errno. */
const char *process_program(void) MUST_CHECK;

/* What ps shows from now on; cut to the room that there is. */
void process_title(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Closes every descriptor from 'first' (3, or more where the lower ones are wanted) on
 * that we were started with, and opens those of 0 to 2 that are missing on /dev/null, so
 * that no client ever becomes somebody's stderr.  First thing in main, before anything is
 * opened. */
void process_own_descriptors(int first);

/* Lifts the soft limit on descriptors to the hard one. */
void process_raise_nofile(void);

/* Somebody to become. */
struct process_identity {
    bool change; /* false: stay who we are */
    char name[64];
    uid_t uid;
    gid_t gid;
};

/* Becomes 'who', groups included, for good: verified by trying to come back.  Whoever
 * is not root afterwards has no capability left, wherever it came from.
 * -1 with errno; *what then names the step. */
int process_become(const struct process_identity *who, const char **what) MUST_CHECK;

#endif
