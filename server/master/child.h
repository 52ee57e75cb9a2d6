/*
 * child.h - the birth of a worker.
 *
 * Owns: everything between fork(2) and worker_main: what a child must lose, become and
 * promise before it talks to strangers.
 */
#ifndef SERVER_MASTER_CHILD_H
#define SERVER_MASTER_CHILD_H

#include "common/compiler.h"
#include "common/process.h"
#include "server/config/config.h"
#include "server/worker/worker.h"

struct daemon_launch;
struct house;
struct listeners;

#include <stddef.h>
#include <sys/types.h>

struct child_birth {
    struct worker_heritage heritage;
    const struct process_identity *identity;
    /* What the master holds and a child must not: its ends of control sockets (-1:
     * none), listeners of other configurations. */
    const int *controls;
    size_t ncontrols;
    const struct listeners *listeners;
    int check_fd; /* of an upgrade; -1: none */
    struct daemon_launch *launch;
    struct house *house;
};

/* Forks; all signals are blocked.  Returns the pid, or -1 with errno.  Does not return in
 * the child. */
pid_t child_fork(const struct child_birth *birth) MUST_CHECK;

#endif
