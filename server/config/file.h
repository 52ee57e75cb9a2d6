/*
 * file.h - the configuration file, read into settings.
 *
 * Owns: libconfuse; no other room includes its header.
 * Never knows: ranges, defaults, or what a value means.
 */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/settings.h"

#include <stdbool.h>

/* Adds what 'path' says to 's'; 'path' must outlive 's'.  false: 'error' holds one
 * line such as "PATH:LINE: KEY: what is wrong". */
bool config_file_read(const char *path, struct settings *s, struct buf *error) MUST_CHECK;

#endif
