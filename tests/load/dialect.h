/*
 * dialect.h - the languages the generator speaks.
 *
 * A dialect turns ids into a request and takes the answer apart; what the pieces mean is
 * for reply.h to judge.  "echo" is the native one spoken with a server that looks nothing
 * up (echo.h): whatever is asked, the answer must hold the same few items.
 */
#ifndef TESTS_LOAD_DIALECT_H
#define TESTS_LOAD_DIALECT_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"
#include "tests/load/reply.h"

struct dialect {
    const char *name;
    bool echoes;

    /* Appends one request for these ids. */
    void (*ask)(struct buf *out, const uint32_t *ids, size_t n);

    /* Judges the bytes 'in' and says in 'used' how many belong to this answer. */
    enum reply_state (*feed)(struct reply *r, const struct judge *j, struct span in,
                             size_t *used);

    /* Appends the request that stores an item; NULL: this dialect cannot. */
    void (*store)(struct buf *out, uint32_t id, struct span item);
    struct span stored; /* the answer to it */
};

extern const struct dialect dialect_native;
extern const struct dialect dialect_echo;
extern const struct dialect dialect_memcached;
extern const struct dialect dialect_resp;

/* NULL: there is none of that name. */
const struct dialect *dialect_find(const char *name) MUST_CHECK;

#endif
