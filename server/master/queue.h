/*
 * queue.h - who waits to be accepted.
 *
 * Owns: a look, once a second, at the queues of the listening TCP sockets.  The kernel
 * tells a listening socket's queue where it tells other sockets' unacknowledged segments:
 * tcpi_unacked is how many wait, tcpi_sacked how many may (as uWSGI and PHP-FPM read it).
 */
#ifndef SERVER_MASTER_QUEUE_H
#define SERVER_MASTER_QUEUE_H

#include "common/clock.h"

#include <stdbool.h>
#include <stddef.h>

struct scoreboard;

struct queue_watch {
    usec_t looked;
    bool half; /* said that it is half full, or more */
    bool full;
};

/* Logs the size that the kernel gave a queue when it is less than 'wanted'. */
void queue_announce(int listen_fd, const char *address, unsigned wanted);

/* Looks at most once a second, tells the scoreboard the fullest queue, and logs when it
 * becomes half full, full, and calm again. */
void queue_look(struct queue_watch *q, const int *fds, size_t n, struct scoreboard *board,
                usec_t now);

#endif
