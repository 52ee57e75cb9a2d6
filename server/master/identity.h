/*
 * identity.h - whom the workers become.
 *
 * Owns: the rule that root must be named to be kept.
 */
#ifndef SERVER_MASTER_IDENTITY_H
#define SERVER_MASTER_IDENTITY_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/process.h"

#include <stdbool.h>

/* Looks the configured user up ("": stay who we are, refused for root).  false: 'error'
 * holds one sentence. */
bool identity_find(const char *user, struct process_identity *out, struct buf *error)
    MUST_CHECK;

/* The same; the sentence is logged. */
bool identity_choose(const char *user, struct process_identity *out) MUST_CHECK;

#endif
