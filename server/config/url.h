/*
 * url.h - mysql://user@host:port/schema?socket=/path&option_file=/path
 *
 * Owns: the text form of a database on the command line.
 */
#ifndef SERVER_CONFIG_URL_H
#define SERVER_CONFIG_URL_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/settings.h"

#include <stdbool.h>

/* Adds the parts of 'url' to 's' as settings of database 'title'.  Parts may be
 * percent-encoded.  A password is refused: every user of the machine can read
 * command lines.  false: 'error' says what was expected, and shows no part of the
 * URL that could be a password. */
bool url_read(const char *url, const char *title, struct settings *s, struct buf *error)
    MUST_CHECK;

#endif
