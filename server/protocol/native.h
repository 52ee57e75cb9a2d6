/*
 * native.h - the native dialect's two halves, to each other.
 */
#ifndef SERVER_PROTOCOL_NATIVE_H
#define SERVER_PROTOCOL_NATIVE_H

#include "server/protocol/protocol.h"

/* The whole answer to 'c' (see struct protocol). */
void native_answer(struct buf *out, const struct command *c, const struct reply *r);

/* A HELP line for each verb. */
void native_append_help(struct buf *out);

#endif
