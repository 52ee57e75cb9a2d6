/*
 * outcome.h - how the operator's wishes went.
 *
 * Owns: for each kind of wish a count of those that were uttered, and the verdict over
 * the last ones that were dealt with.  A wish is a signal or a command; whoever wants to
 * hear how it went keeps the number that outcome_ask gave and looks again later.
 * Promise: a wish that comes while another of its kind is being dealt with is not lost
 * and not mixed up with it: it is dealt with next, all such together.
 *
 *     ask: 1 ------ 2 -- 3 ---------
 *     begin:  1              2 and 3 together
 *     settle:            1            2, 3
 */
#ifndef SERVER_MASTER_OUTCOME_H
#define SERVER_MASTER_OUTCOME_H

#include "common/compiler.h"

#include <stdbool.h>

enum wish {
    WISH_RELOAD,
    WISH_UPGRADE,
    WISH_NWISHES,
};

enum outcome_verdict {
    OUTCOME_PENDING,     /* not settled yet */
    OUTCOME_OK,          /* done */
    OUTCOME_REFUSED,     /* nothing was changed; the text says why */
    OUTCOME_ROLLED_BACK, /* it was begun, failed and was undone; the text says why */
};

#define OUTCOME_TEXT_MAX 1024

struct outcome {
    unsigned asked;               /* wishes so far */
    unsigned begun;               /* those up to this one are being dealt with, or were */
    unsigned settled;             /* those up to this one were dealt with */
    enum outcome_verdict verdict; /* over the last of those */
    char text[OUTCOME_TEXT_MAX];  /* one sentence, or "" */
};

struct outcomes {
    struct outcome of[WISH_NWISHES];
};

/* Notes a wish; returns its number, from 1. */
unsigned outcome_ask(struct outcomes *o, enum wish wish);

/* Is there a wish that nobody has begun with? */
bool outcome_wanted(const struct outcomes *o, enum wish wish);

/* Every wish so far is being dealt with now. */
void outcome_begin(struct outcomes *o, enum wish wish);

/* Is one being dealt with? */
bool outcome_running(const struct outcomes *o, enum wish wish);

/* Those that were begun are dealt with. */
void outcome_settle(struct outcomes *o, enum wish wish, enum outcome_verdict verdict,
                    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* How wish number 'number' went; of a number that is long past, how the last one went.
 * '*text' is valid until the next settlement. */
enum outcome_verdict outcome_of(const struct outcomes *o, enum wish wish, unsigned number,
                                const char **text);

/* "reload", "upgrade"; "pending", "ok", "refused", "rolled back". */
const char *wish_name(enum wish wish);
const char *outcome_name(enum outcome_verdict verdict);

#endif
