/*
 * memcached_driver.h - a conversation in memcached's dialect without sockets: bytes in,
 * bytes out.
 *
 * Items are made up: a key that begins with m is missing, one that begins with x fails,
 * every other has the item DRIVER_ITEM.
 */
#ifndef TESTS_UNIT_MEMCACHED_DRIVER_H
#define TESTS_UNIT_MEMCACHED_DRIVER_H

#include "server/protocol/protocol.h"

#define DRIVER_ITEM "{\"id\":7}"
#define DRIVER_CAS "1895970267104553787" /* of DRIVER_ITEM, for ever */

struct talk {
    struct parser parser;
    struct session session;
    struct buf input;
    struct buf said;
    bool closed;
    size_t fetches; /* requests that looked something up */
    size_t keys;    /* how many keys the last of them had */
};

void talk_init(struct talk *t, unsigned ids_max);
void talk_fini(struct talk *t);

/* The next bytes of the connection; what they ask for is answered at once. */
void talk_feed(struct talk *t, struct span bytes);

/* What was answered so far, a C string. */
const char *talk_said(struct talk *t);

/* A whole conversation on a new connection must be answered so, and no differently when
 * it comes in two pieces, cut at any byte, or byte by byte. */
void talk_expect(const char *asked, const char *answered);

#endif
