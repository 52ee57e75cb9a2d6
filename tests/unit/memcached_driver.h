/*
 * memcached_driver.h - a conversation in memcached's dialect without sockets: bytes in,
 * bytes out.
 *
 * Items are made up: a key that begins with m is missing, one that begins with x fails,
 * every other has the item DRIVER_ITEM, an old one if it begins with o; only those are
 * cached.
 */
#ifndef TESTS_UNIT_MEMCACHED_DRIVER_H
#define TESTS_UNIT_MEMCACHED_DRIVER_H

#include "tests/unit/conversation.h"

#define DRIVER_ITEM "{\"id\":7}"
#define DRIVER_CAS "1895970267104553787" /* of DRIVER_ITEM, for ever */

struct talk {
    struct conversation conversation; /* feed and finish this */
    size_t fetches;                   /* requests that looked something up */
    size_t keys;                      /* how many keys the last of them had */
    bool denied;                      /* nothing may be forgotten */
};

void talk_init(struct talk *t, unsigned ids_max);

/* A whole conversation on a new connection must be answered so, and no differently when
 * it comes in two pieces, cut at any byte, or byte by byte. */
void talk_expect(const char *asked, const char *answered);

/* The same on a connection that may not invalidate, in one piece. */
void talk_expect_denied(const char *asked, const char *answered);

#endif
