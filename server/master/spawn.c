/*
 * spawn.c - the master raises children.
 */
#include "server/master/state.h"

#include "common/log.h"
#include "server/master/child.h"
#include "server/worker/accept.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
not_spawned(struct master *m, const struct supervisor_birth *birth, const char *what)
{
    log_error("worker place=%zu cannot be raised: %s: %s", birth->place, what,
              strerror(errno));
    supervisor_not_spawned(&m->supervisor, birth, clock_now(), drand48());
}

static pid_t
fork_worker(struct master *m, const struct supervisor_birth *birth, int control_fd)
{
    const struct generation *g = master_wanted(m);
    int listen_fds[LISTENERS_MAX];
    const struct child_birth child = {
        .heritage = { .config = g->config,
                      .generation = g->number,
                      .board = m->board,
                      .cache = m->cache,
                      .slot = birth->slot,
                      .place = birth->place,
                      .serial = ++m->serial,
                      .listen_fds = listen_fds,
                      .nlisten = listeners_of(&m->listeners, g->config, listen_fds),
                      .serving = !m->rolling,
                      .succeeds = m->rolling && m->serving,
                      .control_fd = control_fd,
                      .max_connections = accept_max_connections(g->config) },
        .identity = &m->identity,
        .controls = m->controls,
        .ncontrols = m->supervisor.nslots,
        .listeners = &m->listeners,
        .check_fd = m->upgrade.out,
        .launch = m->launch,
        .house = &m->house,
    };

    return child_fork(&child);
}

static void
spawn(struct master *m, const struct supervisor_birth *birth)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
        -1) {
        not_spawned(m, birth, "socketpair");
        return;
    }
    scoreboard_use(m->board, birth->slot);
    m->jitter[birth->slot] = drand48();
    m->adopted[birth->slot] = m->foreign[birth->slot] = false;
    m->controls[birth->slot] = pair[0];
    pid = fork_worker(m, birth, pair[1]);
    close(pair[1]);
    if (pid == -1) {
        close(pair[0]);
        m->controls[birth->slot] = -1;
        not_spawned(m, birth, "fork");
        return;
    }
    log_info("worker slot=%zu pid=%d started", birth->slot, (int)pid);
    supervisor_spawned(&m->supervisor, birth, pid, clock_now());
}

void
master_raise_due(struct master *m)
{
    struct supervisor_birth birth;

    while (supervisor_next_birth(&m->supervisor, clock_now(), &birth))
        spawn(m, &birth);
}

void
master_kill_late(struct master *m)
{
    long slot = supervisor_next_late(&m->supervisor, clock_now());
    pid_t pid;

    if (slot == -1)
        return;
    pid = m->supervisor.slots[slot].pid;
    log_error("worker slot=%ld pid=%d not ready within start_timeout; killing it", slot,
              (int)pid);
    kill(pid, SIGKILL);
    m->supervisor.slots[slot].since = clock_now();
    if (m->rolling)
        generation_fail(m, WORKER_EXIT_START,
                        "a worker was not ready within start_timeout");
}
