/*
 * reply.h - is this what fetchd should have said?
 *
 * Owns: the judgement of one request's answer: one status line for each position in
 * request order, the key echoed, the item's bytes, the counts of the closing line.
 * Knows nothing of sockets.
 */
#ifndef TESTS_LOAD_REPLY_H
#define TESTS_LOAD_REPLY_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "tests/load/plan.h"
#include "tests/load/tally.h"

#include <stddef.h>
#include <stdint.h>

/* A request and how far its answer has come. */
struct reply {
    uint32_t *ids;
    size_t nids;
    size_t at; /* positions answered */
    uint64_t items;
    uint64_t misses;
    uint64_t failures;
    usec_t sent;
};

enum reply_state {
    REPLY_MORE,   /* the answer goes on; feed more bytes */
    REPLY_DONE,   /* the answer is complete */
    REPLY_BROKEN, /* no telling any more which line belongs to what: close */
};

/* Forgets the last answer; the caller has set ids and nids. */
void reply_begin(struct reply *r, usec_t now);

/* Judges the bytes 'in' and says in 'used' how many belong to this answer. */
enum reply_state reply_feed(struct reply *r, const struct plan *plan, struct tally *t,
                            struct span in, size_t *used) MUST_CHECK;

#endif
