/*
 * fdpass.h - descriptors as part of a message.
 *
 * Owns: the ancillary data of unix sockets, and that no received descriptor is lost
 * track of.
 */
#ifndef COMMON_FDPASS_H
#define COMMON_FDPASS_H

#include "common/compiler.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Descriptors of one message. */
#define FDPASS_MAX 16

/* Sends one message with 'nfds' descriptors; they stay the caller's too.  Never blocks,
 * no SIGPIPE.  Bytes sent, or -1 with errno: EAGAIN when there is no room now. */
ssize_t fdpass_send(int sock, const struct iovec *iov, size_t niov, const int *fds,
                    size_t nfds) MUST_CHECK;

/* Receives one message; the descriptors in it, '*nfds' of them, are the caller's and
 * closed on exec.  When the process has no room for all of them it gets none.  Never
 * blocks.  0: the other end is closed; -1 with errno. */
ssize_t fdpass_recv(int sock, void *data, size_t size, int fds[FDPASS_MAX], size_t *nfds)
    MUST_CHECK;

#endif
