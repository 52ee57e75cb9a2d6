/*
 * listeners.h - the sockets that all workers share.
 *
 * Owns: one listening descriptor per address, made before the workers that use it and
 * never SO_REUSEPORT (closing one of two such listeners reset 95 of 200 queued
 * connections: measured), and the files of unix sockets.
 * Promise: an address that two configurations have in common keeps its socket, and with
 * it the connections that wait in it.
 */
#ifndef SERVER_MASTER_LISTENERS_H
#define SERVER_MASTER_LISTENERS_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/net.h"
#include "server/config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* Of all generations that live at once. */
#define LISTENERS_MAX 128

struct listener {
    char *text; /* as the configuration spells it */
    struct net_addr addr;
    int fd;
};

struct listeners {
    struct listener list[LISTENERS_MAX];
    size_t n;
    bool given; /* made by the service manager; their files are its own */
};

/* Opens what 'config' asks for and is not open yet, and logs the real addresses (port
 * 0).  -1: 'error' holds one sentence, and nothing was changed. */
int listeners_open(struct listeners *l, const struct config *config, struct buf *error)
    MUST_CHECK;

/* Takes the 'n' descriptors from ACTIVATION_FIRST_FD on, which the service manager made:
 * from then on they are served whatever a configuration says.  -1: 'error' holds one
 * sentence. */
int listeners_take(struct listeners *l, int n, unsigned backlog, struct buf *error)
    MUST_CHECK;

/* Takes over a socket that is open already; takes the descriptor.  -1: no memory. */
int listeners_adopt(struct listeners *l, const char *text, int fd) MUST_CHECK;

/* The descriptors for 'config' in its order, or all there are (NULL), into 'fds'
 * (LISTENERS_MAX); returns how many. */
size_t listeners_of(const struct listeners *l, const struct config *config, int *fds);

/* Closes what 'config' does not ask for; nobody new is let in there meanwhile. */
void listeners_keep(struct listeners *l, const struct config *config);

/* In a child that serves 'config': closes the others' descriptors and nothing else. */
void listeners_forsake(const struct listeners *l, const struct config *config);

/* The end: closes them all, removes unix socket files, and lets nobody new into the accept
 * queues that the workers still empty. */
void listeners_close(struct listeners *l);

#endif
