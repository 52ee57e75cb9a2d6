/*
 * resp_driver.h - feeds bytes to RESP as a connection does, and writes down what came of
 * them: the commands, or the bytes of the replies.
 *
 * Every piece is parsed from a block that ends where the bytes end, so a parser that
 * looks further is found out by AddressSanitizer.
 */
#ifndef TESTS_UNIT_RESP_DRIVER_H
#define TESTS_UNIT_RESP_DRIVER_H

#include "server/protocol/protocol.h"

struct scoreboard;

struct resp_driver {
    struct parser parser;
    struct buf input;
    struct session session;
    const struct scoreboard *board; /* for INFO */
    bool answers;                   /* replies, not commands */
    bool closed;
    size_t most_pending; /* bytes of an array that were looked at more than once */
    struct buf said;
};

void resp_driver_init(struct resp_driver *d, size_t line_max_bytes, unsigned ids_max);
void resp_driver_fini(struct resp_driver *d);

/* The next bytes of the connection; ignored once it is closed. */
void resp_driver_feed(struct resp_driver *d, struct span bytes);

/* What came so far, a C string (replies may hold NUL: then use 'said'). */
const char *resp_driver_said(struct resp_driver *d);

/* Checks the bytes of the replies to 'input'. */
void resp_check_replies(const char *input, const char *expected);

#endif
