/*
 * lock.h - one server per pid file.
 *
 * Owns: the file "<pid_file>.lock".  The master locks it and every child inherits the
 * descriptor, so a worker that outlives its master still holds it (measured: a lock that
 * only the master holds is free while an orphan serves).  Open file description locks:
 * they can be asked for without being taken, are not lost when somebody else closes the
 * file, and survive fork(2) and execve(2).  Nobody else may
 * read the file: who can may lock it, and keep us from starting.  The file itself stays: removing it would let
 * two starts lock two files of one name.
 */
#ifndef SERVER_MASTER_LOCK_H
#define SERVER_MASTER_LOCK_H

#include "common/compiler.h"

#include <stdbool.h>

enum lock_state {
    LOCK_FREE,    /* nobody serves under this pid file */
    LOCK_HELD,    /* a master does, or a worker that outlived one */
    LOCK_UNKNOWN, /* errno says why: usually no permission to look */
};

/* Takes the lock; never waits.  The descriptor (closed on exec), to be kept for as long
 * as somebody serves; -1 with errno, EWOULDBLOCK when somebody else holds it. */
int lock_take(const char *pid_file) MUST_CHECK;

/* Does anybody hold it?  Takes nothing. */
enum lock_state lock_look(const char *pid_file) MUST_CHECK;

/* Is the locked file still the one that others find under this name?  false: somebody
 * removed it and a second server could start; lock_take again. */
bool lock_stands(int fd, const char *pid_file) MUST_CHECK;

#endif
