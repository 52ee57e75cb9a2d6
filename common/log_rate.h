/*
 * log_rate.h - how often the same thing may be said.
 *
 * Owns: a count for each message (its format, by address) and window of time.  Pure
 * judgement: 'now' is an argument.  A message past its burst is suppressed for the rest of
 * the window; how many were is told with the next that passes, or by log_rate_overdue.
 */
#ifndef COMMON_LOG_RATE_H
#define COMMON_LOG_RATE_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>

#define LOG_RATE_WINDOW (10 * USEC_PER_SEC)
#define LOG_RATE_MESSAGES 64

struct log_rate {
    struct log_rate_message {
        const char *format; /* NULL: free */
        usec_t since;
        unsigned said;
        unsigned suppressed;
    } messages[LOG_RATE_MESSAGES];
    unsigned pending; /* messages with suppressed lines */
};

/* May it be said now?  If so, '*suppressed' lines of it were not before. */
bool log_rate_pass(struct log_rate *r, const char *format, unsigned burst, usec_t now,
                   unsigned *suppressed) MUST_CHECK;

/* A message whose window is over and whose suppressed lines nobody was told of: its
 * format, and how many; NULL: none.  It is told now. */
const char *log_rate_overdue(struct log_rate *r, usec_t now, unsigned *suppressed);

#endif
