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
#include "server/source/source.h"

#include <stddef.h>
#include <stdint.h>

struct command;
struct worker;

/* Places of one look. */
#define LOOK_MAX 256

/* Keys whose waits for memory overlap: fetches of one id cost 0.84 of what they did alone
 * when 32 of them are looked up together; 64 serves those of 10 ids a little better, 128
 * nobody (scripts/load-test --compare echo). */
#define LOOK_GROUP 64

/* A key on its way through the cache. */
struct glance {
    const struct lookup *lookup; /* NULL: it is known already, or nothing could be */
    size_t which;
    struct cache_key key;
    size_t id_len;
    char id[SOURCE_KEY_MAX];
};

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

/* The same in steps, for whoever can let the waits of several requests overlap:
 *     look_begin for each request, look_near for all, look_end for each
 * look_begin: whose are the keys, are they ids? */
void look_begin(const struct worker *w, struct glance *glances,
                struct item_result *results, size_t n, const struct command *c);

/* Begins to bring what is known of the keys near; at most about LOOK_GROUP at a time. */
void look_near(const struct glance *glances, size_t n);

/* As look_up, of places that were begun; at most LOOK_MAX. */
void look_end(struct worker *w, struct look *look, struct glance *glances,
              struct item_result *results, size_t n, const struct command *c, usec_t now);

/* The source of 'key' failed: a copy that may be shown instead goes to a pack of its own,
 * the caller's (LOOKUP_STALE only). */
enum lookup_verdict look_rescue(struct worker *w, struct span key,
                                const struct command *c, usec_t now,
                                struct item_pack **pack, usec_t *age) MUST_CHECK;

/* The oldest that a request takes. */
usec_t look_max_age(const struct command *c);

#endif
