/*
 * breaker.h - when to stop asking somebody who does not answer.
 *
 * Owns: the judgement alone; no clock, no timer, no source.
 *
 *     CLOSED --'failures' in a row--> OPEN --pause over, one trial--> HALF_OPEN
 *       ^                               ^                                |
 *       |                               +--failed, the pause doubles ----+
 *       +------------------------------- answered -----------------------+
 */
#ifndef SERVER_SOURCE_BREAKER_H
#define SERVER_SOURCE_BREAKER_H

#include "common/clock.h"

#include <stdbool.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
};

struct breaker {
    unsigned failures_max;
    usec_t pause_min;
    usec_t pause_max;
    enum breaker_state state;
    unsigned failures; /* in a row, while closed */
    usec_t pause;      /* the present one */
    usec_t until;      /* BREAKER_OPEN: nothing is asked before */
};

void breaker_init(struct breaker *b, unsigned failures_max, usec_t pause_min,
                  usec_t pause_max);

/* "closed", "open", "half-open". */
const char *breaker_name(const struct breaker *b);

/* May one be asked now?  While half open: no, the trial is out already. */
bool breaker_allows(const struct breaker *b, usec_t now);

/* One is asked; only when it was allowed. */
void breaker_asked(struct breaker *b);

/* One that was asked got an answer; true: that closed it. */
bool breaker_answered(struct breaker *b);

/* One that was asked failed; true: that opened it. */
bool breaker_failed(struct breaker *b, usec_t now);

/* One that was asked ended in a way that tells nothing: a trial is allowed again. */
void breaker_learned_nothing(struct breaker *b, usec_t now);

#endif
