/*
 * native.h - the native dialect's rooms, to each other.
 */
#ifndef SERVER_PROTOCOL_NATIVE_H
#define SERVER_PROTOCOL_NATIVE_H

#include "server/protocol/protocol.h"

/* The answer to 'c' (see struct reply). */
command_answer native_answer;

/* A HELP line for each verb and option. */
void native_append_help(struct buf *out);

/* "#tag " when the command has one. */
void native_append_tag(struct buf *out, const struct command *c);

/* The DATA line of as=array, map or columns.  false: the rest of it follows later. */
bool native_append_data(struct buf *out, const struct command *c, const struct reply *r)
    MUST_CHECK;

/* " status=ISMF...", a letter for each position. */
void native_append_statuses(struct buf *out, const struct reply *r);

#endif
