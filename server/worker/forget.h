/*
 * forget.h - clients that want items forgotten.
 *
 * Owns: who may, and that it is done before the request is answered: what was asked
 * before keeps its answer, what is asked after the acknowledgement never sees what was
 * forgotten.
 */
#ifndef SERVER_WORKER_FORGET_H
#define SERVER_WORKER_FORGET_H

#include <stdbool.h>
#include <stddef.h>

struct command;
struct worker;

struct forgetting {
    size_t forgotten; /* keys of which something was cached */
    bool denied;
};

/* Does what an invalidating command from the connection 'fd' asks for and takes its keys
 * away, so that nothing is looked up for it; leaves every other command alone. */
struct forgetting forget_run(struct worker *w, int fd, struct command *command);

#endif
