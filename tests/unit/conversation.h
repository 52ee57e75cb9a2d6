/*
 * conversation.h - feeds bytes to a dialect as a connection does.
 *
 * Owns: the loop around a parser that every dialect's driver needs, and what must hold of
 * each: no byte is searched twice, something is consumed or more is wanted, and nothing
 * is remembered once a request is whole.
 * Every piece is parsed from a block that ends where the bytes end, so a parser that
 * looks further is found out by AddressSanitizer.
 */
#ifndef TESTS_UNIT_CONVERSATION_H
#define TESTS_UNIT_CONVERSATION_H

#include "server/protocol/protocol.h"

/* The beginning of every driver's struct. */
struct conversation {
    struct parser parser;
    struct session session;
    struct buf input;
    struct buf said; /* what came of the bytes, as the driver writes it down */
    bool closed;
    const char *hangup; /* what is written down when the dialect hangs up */
    /* Writes one command down. */
    void (*take)(struct conversation *c, const struct command *command);
    /* More than 'rest' is wanted; NULL: nobody asks. */
    void (*more)(struct conversation *c, struct span rest);
};

void conversation_init(struct conversation *c, size_t line_max_bytes, unsigned ids_max);
void conversation_fini(struct conversation *c);

/* The next bytes of the connection; ignored once it is closed. */
void conversation_feed(struct conversation *c, struct span bytes);

/* What came so far, a C string (it may hold NUL: then use 'said'). */
const char *conversation_said(struct conversation *c);

/* A dialect's driver: its size, and how one that listens is made. */
struct conversation_kind {
    size_t bytes;
    void (*open)(struct conversation *c);
};

/* Checks that what is said to 'input' does not depend on how it is split: at every byte,
 * and in pieces of 1 to 39 bytes. */
void conversation_check_splits(const struct conversation_kind *kind, struct span input);

#endif
