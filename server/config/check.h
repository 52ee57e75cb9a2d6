/*
 * check.h - what one value alone cannot tell.
 *
 * Owns: the rules between options, and the few values that follow from others.
 */
#ifndef SERVER_CONFIG_CHECK_H
#define SERVER_CONFIG_CHECK_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/config.h"
#include "server/config/settings.h"

#include <stdbool.h>

/* Fills what follows from other values (a source's only possible database, the
 * usual socket) and refuses what does not fit together.  false: 'error' says where
 * and why. */
bool config_check(struct config *c, const struct settings *s, struct buf *error)
    MUST_CHECK;

#endif
