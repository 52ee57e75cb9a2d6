/*
 * figures.h - what "stats" says, for every dialect.
 *
 * Owns: the scoreboard's figures and the cache's in one text, so that no dialect tells
 * another story.
 */
#ifndef SERVER_PROTOCOL_FIGURES_H
#define SERVER_PROTOCOL_FIGURES_H

#include "server/protocol/protocol.h"

/* "STAT name value" lines without the closing END, memcached's format. */
void figures_print(const struct reply *r, struct buf *out);

#endif
