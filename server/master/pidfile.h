/*
 * pidfile.h - our pid where init scripts look for it.
 *
 * Owns: a file that appears whole (written aside, then renamed) and is removed only
 * while it still holds our pid.
 */
#ifndef SERVER_MASTER_PIDFILE_H
#define SERVER_MASTER_PIDFILE_H

#include "common/compiler.h"

#include <stdbool.h>

/* "" writes nothing.  -1 with errno. */
int pidfile_write(const char *path) MUST_CHECK;

/* Does it hold our pid, and is it no link? */
bool pidfile_is_ours(const char *path) MUST_CHECK;

/* Only while it is ours. */
void pidfile_remove(const char *path);

#endif
