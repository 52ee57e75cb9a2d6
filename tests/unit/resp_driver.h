/*
 * resp_driver.h - feeds bytes to RESP and writes down what came of them: the commands, or
 * the bytes of the replies.
 */
#ifndef TESTS_UNIT_RESP_DRIVER_H
#define TESTS_UNIT_RESP_DRIVER_H

#include "tests/unit/conversation.h"

struct scoreboard;

struct resp_driver {
    struct conversation talk;       /* feed and finish this */
    const struct scoreboard *board; /* for INFO */
    bool answers;                   /* replies, not commands */
    size_t most_pending; /* bytes of an array that were looked at more than once */
};

void resp_driver_init(struct resp_driver *d, size_t line_max_bytes, unsigned ids_max);

/* Checks what a connection with these bounds is said to have sent. */
void resp_check_commands(const char *input, size_t line_max_bytes, unsigned ids_max,
                         const char *expected);

/* Checks the bytes of the replies to 'input'. */
void resp_check_replies(const char *input, const char *expected);

#endif
