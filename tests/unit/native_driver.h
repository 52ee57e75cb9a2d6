/*
 * native_driver.h - feeds bytes to a dialect as a connection does, and writes down what
 * came of them.
 *
 * Every piece is parsed from a block that ends where the bytes end, so a parser that
 * looks further is found out by AddressSanitizer.
 */
#ifndef TESTS_UNIT_NATIVE_DRIVER_H
#define TESTS_UNIT_NATIVE_DRIVER_H

#include "server/protocol/protocol.h"

struct driver {
    struct parser parser;
    struct buf input;
    struct session session;
    bool closed;
    struct buf said; /* one line for each command, see native_driver.c */
};

void driver_init(struct driver *d, size_t line_max_bytes, unsigned ids_max);
void driver_fini(struct driver *d);

/* The next bytes of the connection; ignored once it is closed. */
void driver_feed(struct driver *d, struct span bytes);

/* What came so far, a C string. */
const char *driver_said(struct driver *d);

#endif
