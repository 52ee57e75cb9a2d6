/*
 * worker.h - a child that serves clients.
 *
 * Owns: what crosses the fork from the master to a worker, and the few words the two
 * exchange afterwards.
 */
#ifndef SERVER_WORKER_WORKER_H
#define SERVER_WORKER_WORKER_H

#include "common/fdpass.h"
#include "server/config/config.h"
#include "server/stats/scoreboard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

/* Everything a worker inherits; borrowed from the master's memory, which the child has
 * a copy of. */
struct worker_heritage {
    const struct config *config;
    unsigned generation; /* of the configuration */
    struct scoreboard *board;
    struct cache *cache; /* NULL: none */
    size_t slot;         /* in the scoreboard */
    size_t place;        /* which of the wanted workers: below config->workers, mostly */
    unsigned serial;     /* of this child among all the server ever had */
    const int *listen_fds;
    size_t nlisten;
    bool serving;   /* this configuration served once: a refused source ends nobody */
    bool succeeds;  /* workers of another configuration serve meanwhile */
    int control_fd; /* SOCK_SEQPACKET to the master; its end of file is our end */
    size_t max_connections; /* of the whole server */
};

/* What the two say over the control socket.  After an upgrade they may be different
 * programs: WORKER_CONTROL changes with anything here, and who differs is only sent
 * signals. */
#define WORKER_CONTROL 1

enum worker_word {
    /* a worker to its master */
    WORKER_READY = 1,    /* it accepts connections */
    WORKER_REFUSED = 2,  /* the configuration cannot work; 'text' is one sentence */
    WORKER_HEIRLESS = 3, /* it retires, has clients left and nobody to give them to */
    /* the master to a worker */
    MASTER_RETIRE = 16, /* descriptors: ways to its heirs, who live in 'slots' */
    MASTER_DONOR = 17,  /* descriptor: the way clients come from one who retires */
    MASTER_LOG = 18,    /* descriptor: the log file, opened anew */
};

#define WORKER_TEXT_MAX 700

struct worker_message {
    enum worker_word word;
    uint32_t slots[FDPASS_MAX];
    char text[WORKER_TEXT_MAX];
};

/* Exit codes of a worker. */
enum worker_exit {
    WORKER_EXIT_OK = 0,      /* drained */
    WORKER_EXIT_START = 1,   /* could not start */
    WORKER_EXIT_CONFIG = 78, /* refused its configuration (EX_CONFIG) */
};

/* Lives a worker's whole life and returns its exit code.  Signals are blocked when it is
 * called; the caller is a fresh child that has closed what is not its own. */
int worker_main(const struct worker_heritage *heritage);

#endif
