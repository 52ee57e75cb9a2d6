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

#include <stddef.h>
#include <sys/types.h>

struct child_birth {
    struct worker_heritage heritage;
    const struct process_identity *identity;
    /* The master's ends of control sockets and whatever else a child must not hold;
     * -1 entries are skipped. */
    const int *foreign_fds;
    size_t nforeign;
    struct daemon_launch *launch;
    struct house *house;
};

/* Forks; all signals are blocked.  Returns the pid, or -1 with errno.  Does not return in
 * the child. */
pid_t child_fork(const struct child_birth *birth) MUST_CHECK;

#endif
