/*
 * http.h - an HTTP API as a source.
 *
 * Owns: its connections, and what an answer says about the ids of a batch.
 * Never knows: who wants the items.
 */
#ifndef SERVER_SOURCE_HTTP_H
#define SERVER_SOURCE_HTTP_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/config.h"
#include "server/source/source.h"
#include "server/stats/metrics.h"

struct event_base;

/* The source for config.sources[which], of kind CONFIG_URL.  Everything given is
 * borrowed.  Connects when somebody wants something.  NULL: no memory.  When it cannot
 * work as configured (its ca_file cannot be read), 'error', empty before, says why, and
 * the source is there but down. */
struct source *http_open(struct event_base *base, const struct config *config,
                         size_t which, struct metrics *metrics, struct buf *error)
    MUST_CHECK;

/* Ends what is under way as failed, closes, frees the source too. */
void http_close(struct source **source);

#endif
