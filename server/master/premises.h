/*
 * premises.h - the files by which others find a running master.
 *
 * Owns: lock, pid file and control socket, which live and are mended together: all three
 * are named after "pid_file"; without one there are none and "fetchd -s" cannot find us.
 * Promise: a file that somebody removed while we run is back within PREMISES_LOOK_EVERY;
 * at the end only what is still ours is removed.
 */
#ifndef SERVER_MASTER_PREMISES_H
#define SERVER_MASTER_PREMISES_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "server/master/command.h"

#define PREMISES_LOOK_EVERY (5 * USEC_PER_SEC)

/* Exit code of a start that finds another server under its pid file. */
#define EXIT_ALREADY_RUNNING 69 /* EX_UNAVAILABLE */

struct premises {
    const char *pid_file; /* "": none of it exists */
    int lock_fd;
    struct commands *commands; /* NULL: nobody can ask */
    usec_t looked;
};

/* clang-format off */
#define PREMISES_INIT { "", -1, NULL, 0 }
/* clang-format on */

/* Locks, listens for commands and writes the pid file; borrows the path.  Returns 0, or
 * the exit code of a master that must not start; logged. */
int premises_open(struct premises *p, const char *pid_file) MUST_CHECK;

/* Mends what was removed, now and then. */
void premises_look(struct premises *p, usec_t now);

/* Removes pid file and socket, lets the lock go. */
void premises_close(struct premises *p);

/* In a child: keeps the lock, and nothing else. */
void premises_forsake(struct premises *p);

/* Across execve: one word without blanks; 'keep' leaves the descriptors open on exec, or
 * takes that back when it failed. */
void premises_save(struct premises *p, bool keep, struct buf *out);

/* From such a word.  What cannot be taken over is opened anew.  0 or an exit code. */
int premises_restore(struct premises *p, const char *pid_file, const char *word)
    MUST_CHECK;

#endif
