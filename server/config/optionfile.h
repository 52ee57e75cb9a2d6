/*
 * optionfile.h - my.cnf style option files, where MariaDB's clients keep passwords.
 *
 * Owns: their syntax, and which groups and keys concern fetchd.
 */
#ifndef SERVER_CONFIG_OPTIONFILE_H
#define SERVER_CONFIG_OPTIONFILE_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/settings.h"

#include <stdbool.h>

/* Adds user, password, host, port and socket from the groups [client],
 * [client-server], [client-mariadb] and [fetchd] of 'path' to 's', as settings of
 * database 'title'; the last one of a key wins.  'path' must outlive 's'.  Other
 * groups and keys belong to other programs and are passed over.  Logs a warning for
 * an !include, which is not followed, and for a password that others may read.
 * false: the file cannot be read, and 'error' says why. */
bool optionfile_read(const char *path, const char *title, struct settings *s,
                     struct buf *error) MUST_CHECK;

#endif
