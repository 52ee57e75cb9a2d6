/*
 * json.h - JSON as bytes: escape, check, compact, base64.
 *
 * Owns: the judgement of what is valid JSON and valid UTF-8 for the whole server.
 * Promise: whatever these functions append is strict JSON (RFC 8259) without a raw
 * newline or any other control character, and numbers keep their digits exactly:
 * nothing here goes through a double.  Pure functions; no state, no allocation but
 * the buffer's.  Why not cJSON: it alters integers from 2^52 up and cuts strings at
 * NUL (measured with 1.7.15).
 */
#ifndef SERVER_ITEM_JSON_H
#define SERVER_ITEM_JSON_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>

/* Deeper nesting than this is refused by json_append_compact. */
#define JSON_DEPTH_MAX 128

/* Is 's' well-formed UTF-8 (no surrogates, nothing overlong, at most U+10FFFF)? */
bool utf8_valid(struct span s);

/* Appends 's' as a JSON string with its quotes.  Bytes that are not valid UTF-8
 * become U+FFFD, one for each maximal ill-formed part; ", \ and control characters
 * are escaped (short forms where JSON has them); everything else travels as it is. */
void json_append_string(struct buf *out, struct span s);

/* Appends 's' as a JSON string holding standard base64 with padding. */
void json_append_base64(struct buf *out, struct span s);

/* Appends 'digits', a number as MariaDB prints it, as a JSON number: leading zeros
 * (ZEROFILL, YEAR 0000) are stripped, a leading '+' dropped, ".5" becomes 0.5 and
 * "5." becomes 5; every other digit stays.  What is no number at all (inf, nan, "")
 * becomes null. */
void json_append_number(struct buf *out, struct span digits);

/* Appends the big-endian bytes of a BIT column (at most 8) as an unsigned number. */
void json_append_bits(struct buf *out, struct span bytes);

/* Checks 's' as one strict JSON text (UTF-8, depth, no duplicate checks, nothing
 * after it) and appends it without insignificant white space, digit for digit.
 * Inside strings, bytes travel unchanged.  false: not valid; 'out' is as before.  No
 * memory is not "not valid": that is in buf_failed, as for all the others. */
bool json_append_compact(struct buf *out, struct span s) MUST_CHECK;

#endif
