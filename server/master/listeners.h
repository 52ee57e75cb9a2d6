/*
 * listeners.h - the sockets that all workers share.
 *
 * Owns: one listening descriptor per address, made before the first fork and never
 * SO_REUSEPORT (closing one of two such listeners reset 95 of 200 queued connections:
 * measured), and the files of those unix sockets that it made.
 */
#ifndef SERVER_MASTER_LISTENERS_H
#define SERVER_MASTER_LISTENERS_H

#include "common/compiler.h"
#include "server/config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct listeners {
    const struct config *config;
    int *fds;
    size_t n;
    bool given; /* made by the service manager; their files are its own */
};

/* Binds every address of the configuration and logs the real ones (port 0); or takes the
 * 'ngiven' descriptors from ACTIVATION_FIRST_FD on instead.  -1: logged. */
int listeners_open(struct listeners *l, const struct config *config, int ngiven)
    MUST_CHECK;

/* Closes them and removes unix socket files. */
void listeners_close(struct listeners *l);

#endif
