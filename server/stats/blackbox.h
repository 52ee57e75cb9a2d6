/*
 * blackbox.h - what a worker was doing, for whoever finds it dead.
 *
 * Owns: one box for each slot, in the scoreboard's mapping: the last request, and what
 * the crash handler leaves.  The worker writes, the master reads when it has reaped.
 * Promise: the reader believes nothing it finds: everything is bounded, and escaped before
 * it is logged.
 */
#ifndef SERVER_STATS_BLACKBOX_H
#define SERVER_STATS_BLACKBOX_H

#include "common/clock.h"
#include "common/span.h"

#include <stddef.h>
#include <stdint.h>

#define BLACKBOX_FRAMES 24
#define BLACKBOX_TEXT 128

struct blackbox {
    usec_t since;                /* when the last request came; 0: none did */
    char request[BLACKBOX_TEXT]; /* its verb and its first key */
    char panic[BLACKBOX_TEXT * 2];
    uint32_t nframes;
    uintptr_t frames[BLACKBOX_FRAMES]; /* of a crash: return addresses, innermost first */
};

/* Notes a request; a few nanoseconds. */
void blackbox_note(struct blackbox *b, const char *verb, struct span key, usec_t now);

/* Notes why this process ends itself.  Safe in a signal handler. */
void blackbox_panic(struct blackbox *b, const char *text);

/* The text of a field, whatever somebody wrote there. */
struct span blackbox_text(const char *field, size_t size);

#endif
