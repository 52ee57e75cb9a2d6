/*
 * http_answer.h - the bytes of one HTTP/1.x answer, read strictly.
 *
 * Owns: where an answer's headers and body begin and end.  Whatever could be read in two
 * ways is broken: two lengths, a length and chunks, signs and prefixes before digits,
 * folded lines, bare newlines, a body that stops early.  A connection on which that was
 * seen is not used again, so one answer can never be taken for a part of another.
 * Why not evhttp: it reads a chunk size of "0x5", "+5" or " 5", a chunk that does not end
 * where it says, two lengths, "HTTP/1.1 0200" and bare newlines without a word (tried
 * with 2.1.12), and chunk sizes are gone before its user could look.
 * Pure but for its buffers: no socket, no clock.
 */
#ifndef SERVER_SOURCE_HTTP_ANSWER_H
#define SERVER_SOURCE_HTTP_ANSWER_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_progress {
    HTTP_MORE,
    HTTP_COMPLETE,
    HTTP_BROKEN,   /* no HTTP, or ambiguous; answer->why says what */
    HTTP_TOOLARGE, /* headers or body beyond the bounds */
};

/* What is read next. */
enum http_part {
    HTTP_STATUS_LINE,
    HTTP_HEADER_LINE,
    HTTP_BODY_COUNTED,
    HTTP_BODY_TO_END, /* of the connection */
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_BYTES,
    HTTP_CHUNK_END,
    HTTP_TRAILER_LINE,
};

struct http_answer {
    size_t header_max;
    size_t body_max;
    enum http_part part;
    unsigned status;
    const char *why;
    bool started; /* a byte of it was seen */
    bool keeps;   /* the connection may be used again after it */
    bool has_length;
    bool chunked;
    uint64_t left; /* bytes of the body or chunk still to come */
    size_t header_bytes;
    struct buf line;     /* the beginning of a line that is not all there */
    struct buf body;     /* unless all of it came at once: */
    struct span at_once; /* ... then it is where it was read */
};

void http_answer_init(struct http_answer *a, size_t header_max, size_t body_max);
void http_answer_fini(struct http_answer *a);

/* Ready for the next answer on the same connection. */
void http_answer_reset(struct http_answer *a);

/* Reads on; '*used' bytes of 'in' were taken.  After anything but HTTP_MORE: the end, until
 * reset; what is left of 'in' then belongs to no answer that was asked for. */
enum http_progress http_answer_feed(struct http_answer *a, struct span in, size_t *used)
    MUST_CHECK;

/* The connection ended in good order.  Never HTTP_MORE. */
enum http_progress http_answer_end(struct http_answer *a) MUST_CHECK;

/* The body of a complete answer; valid as long as the bytes that were fed last, and until
 * reset. */
struct span http_answer_body(const struct http_answer *a);

#endif
