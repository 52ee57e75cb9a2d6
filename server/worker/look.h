/*
 * look.h - what can be answered without asking anybody.
 *
 * Owns: the first look at the places of a request: whose is the key, is it an id, does
 * the cache know it?  In groups, so that the waits for memory overlap; the bytes of all
 * hits go to one buffer.
 * Promise: a place is known afterwards, or still ITEM_OPEN and must be wanted.
 */
#ifndef SERVER_WORKER_LOOK_H
#define SERVER_WORKER_LOOK_H

#include "common/buf.h"
#include "common/clock.h"
#include "server/item/pack.h"
#include "server/item/result.h"
#include "server/source/lookup.h"

#include <stddef.h>
#include <stdint.h>

struct command;
struct worker;

/* Places of one look. */
#define LOOK_MAX 256

struct look {
    struct buf bytes;             /* of the items that were found */
    size_t n;                     /* places looked at */
    size_t known;                 /* of those, not open any more */
    size_t off[LOOK_MAX];         /* of each item in 'bytes' */
    unsigned char from[LOOK_MAX]; /* enum item_origin */
};

void look_init(struct look *look);
void look_fini(struct look *look);

/* Looks at the first of the 'n' places: at most LOOK_MAX, and fewer when the items are
 * large.  What was found stays in 'look' until the next look; the results point there. */
void look_up(struct worker *w, struct look *look, struct item_result *results, size_t n,
             const struct command *c, usec_t now);

/* The source of 'key' failed: a copy that may be shown instead goes to a pack of its own,
 * the caller's (LOOKUP_STALE only). */
enum lookup_verdict look_rescue(struct worker *w, struct span key,
                                const struct command *c, usec_t now,
                                struct item_pack **pack, usec_t *age) MUST_CHECK;

/* The oldest that a request takes. */
usec_t look_max_age(const struct command *c);

#endif
