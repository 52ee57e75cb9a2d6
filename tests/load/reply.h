/*
 * reply.h - is this what the server should have said?
 *
 * Owns: the judgement of one request's answer as far as all dialects share it: which
 * positions are answered, the item's bytes, what may be missing, what failed.  The
 * dialects take the bytes apart and bring the pieces here.  Knows nothing of sockets.
 */
#ifndef TESTS_LOAD_REPLY_H
#define TESTS_LOAD_REPLY_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "tests/load/expect.h"
#include "tests/load/plan.h"
#include "tests/load/tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request and how far its answer has come. */
struct reply {
    const uint32_t *ids; /* of the items that must come back, in this order */
    size_t nids;
    size_t at; /* positions answered */
    uint64_t items;
    uint64_t misses;
    uint64_t failures;
    bool begun;  /* the dialect has seen what comes before the positions */
    usec_t sent; /* or was meant to be */
};

/* What judging needs to know besides. */
struct judge {
    const struct plan *plan;
    const struct expect *expect; /* NULL when no byte of an item is checked */
    struct tally *tally;
};

enum reply_state {
    REPLY_MORE,   /* the answer goes on; feed more bytes */
    REPLY_DONE,   /* the answer is complete */
    REPLY_BROKEN, /* no telling any more which byte belongs to what: close */
};

/* A request for these ids is about to be sent. */
void reply_begin(struct reply *r, const struct judge *j, const uint32_t *ids, size_t nids,
                 usec_t sent);

/* The quick way: is 'in' the 'head', then the bytes of the item that should come next,
 * then CRLF?  Then that position is answered and its length returned, else 0. */
size_t reply_match(struct reply *r, const struct judge *j, struct span in,
                   struct span head) MUST_CHECK;

/* May reply_match be asked about the next position, and how long is its item? */
bool reply_foreseen(const struct reply *r, const struct judge *j, size_t *length)
    MUST_CHECK;

/* The slow way, a verdict for the next position; reply.at must be below nids. */
void reply_item(struct reply *r, const struct judge *j, struct span item);
void reply_miss(struct reply *r, const struct judge *j);
void reply_fail(struct reply *r, const struct judge *j, struct span code);

/* Every position must be answered by now. */
void reply_end(const struct reply *r, const struct judge *j);

/* --- for the dialects: pieces of lines --- */

/* Takes the line at the front of 'in', without its end, into 'line'; returns its length
 * with it, 0 when it is not complete.  A missing CR is a wrong answer, and so is a line
 * that never ends ('line' has no address then). */
size_t reply_take_line(const struct judge *j, struct span in, struct span *line)
    MUST_CHECK;

/* Cuts the first word off 'line'. */
struct span reply_take_word(struct span *line);

/* Is it exactly these digits? */
bool reply_is_number(struct span s, uint64_t v);

/* Digits only, at most nine of them, into 'v'. */
bool reply_to_number(struct span s, size_t *v) MUST_CHECK;

#endif
