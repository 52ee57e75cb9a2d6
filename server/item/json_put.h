/*
 * json_put.h - JSON values through a pointer.
 *
 * Owns: how each value is written where room is already known to be.  Promise: a
 * put writes exactly what its size function says, never a byte beyond, and returns
 * where it stopped.  Inside server/item only: json.c and compose.c see to the room.
 */
#ifndef SERVER_ITEM_JSON_PUT_H
#define SERVER_ITEM_JSON_PUT_H

#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

/* What the inside of a JSON string takes once it is escaped and mended. */
struct json_text_size {
    size_t bytes; /* never less than what went in */
    bool as_is;   /* nothing to escape or mend: a plain copy will do */
};

/* Copies bytes to 'to' (room for s.n) up to the first that is not printable ASCII
 * or needs escaping; returns how many were copied.  Bytes after them may have been
 * scribbled on, within s.n. */
size_t json_put_plain(char *to, struct span s) MUST_CHECK;

/* The inside of a string, any bytes; see json_append_string.  A byte takes at most
 * JSON_TEXT_TIMES its size. */
#define JSON_TEXT_TIMES 6
struct json_text_size json_text_size(struct span s);
char *json_put_text(char *to, struct span s) MUST_CHECK;

/* With its quotes; see json_append_base64. */
static inline size_t
json_base64_size(size_t n)
{
    return (n + 2) / 3 * 4 + 2;
}

char *json_put_base64(char *to, struct span s) MUST_CHECK;

/* See json_append_number; at most JSON_NUMBER_MORE bytes longer than s.n. */
#define JSON_NUMBER_MORE 4
size_t json_number_size(struct span s);
char *json_put_number(char *to, struct span s) MUST_CHECK;

/* See json_append_bits. */
#define JSON_BITS_MAX 20
size_t json_bits_size(struct span s);
char *json_put_bits(char *to, struct span s) MUST_CHECK;

/* Checks and compacts into 'to', or only checks when 'to' is NULL; '*size' is what
 * the compact form takes, at most s.n.  false: not valid; bytes at 'to', within s.n,
 * may have been scribbled on. */
bool json_put_compact(char *to, struct span s, size_t *size) MUST_CHECK;

#endif
