/*
 * decode.h - the text a JSON string stands for.
 *
 * Owns: undoing the escapes of JSON strings, for dialects that hand out plain bytes.
 * The input is trusted to be a string of valid JSON, with its quotes; even so nothing
 * beyond it is read.
 */
#ifndef SERVER_ITEM_DECODE_H
#define SERVER_ITEM_DECODE_H

#include "common/buf.h"
#include "common/span.h"

#include <stddef.h>

/* How many bytes json_append_decoded will append; never more than string.n. */
size_t json_decoded_size(struct span string);

/* Appends the bytes of the text in UTF-8: \uXXXX as its character, two surrogates as
 * the one character they are together, NUL as a byte like any other.  A surrogate alone
 * is no character and becomes U+FFFD. */
void json_append_decoded(struct buf *out, struct span string);

#endif
