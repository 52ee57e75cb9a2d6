/*
 * gather.h - everything that was said, from every place, as settings.
 *
 * Owns: the precedence: command line over file; for a password the environment
 * over the option file over the section; for the rest of a database its section
 * over its option file.
 */
#ifndef SERVER_CONFIG_GATHER_H
#define SERVER_CONFIG_GATHER_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/settings.h"

#include <stdbool.h>

struct config_overrides;

/* 'path' and 'over' may be NULL; both must outlive 's'.  false: 'error' says why. */
bool settings_gather(struct settings *s, const char *path,
                     const struct config_overrides *over, struct buf *error) MUST_CHECK;

#endif
