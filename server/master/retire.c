/*
 * retire.c - the master lets children go, and names the heirs of their clients.
 *
 * A child that retires is given ways to a few who stay, the least busy ones: one end of a
 * socketpair to each side.  Their clients move over it without the master's help.  If
 * every heir dies meanwhile it asks for others.  With nobody to inherit, it drains.
 */
#include "server/master/state.h"

#include "common/fdpass.h"
#include "common/log.h"
#include "server/worker/worker.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
tell(const struct master *m, size_t slot, const struct worker_message *message,
     const int *fds, size_t nfds)
{
    struct worker_message copy = *message;
    struct iovec iov = { &copy, sizeof(copy) };

    return m->controls[slot] != -1 &&
           fdpass_send(m->controls[slot], &iov, 1, fds, nfds) == (ssize_t)sizeof(copy);
}

/* A child whose heart beat longer ago may be stopped: it inherits nothing. */
#define BEAT_FRESH (1 * USEC_PER_SEC)

static bool
may_inherit(const struct master *m, size_t slot, usec_t now)
{
    return supervisor_is_current(&m->supervisor, slot) &&
           m->supervisor.slots[slot].place < m->supervisor.nplaces &&
           slot_heartbeat(scoreboard_slot(m->board, slot)) + BEAT_FRESH > now;
}

/* The least busy current children, 'except' excluded; how many there are, at most
 * FDPASS_MAX.  What is compared lies in shared memory, and is only compared. */
static size_t
find_heirs(const struct master *m, size_t except, size_t heirs[FDPASS_MAX])
{
    uint64_t load[FDPASS_MAX], mine;
    usec_t now = clock_now();
    size_t i, at, n = 0;

    for (i = 0; i < m->supervisor.nslots; i++) {
        if (i == except || !may_inherit(m, i, now))
            continue;
        mine = slot_connections(scoreboard_slot(m->board, i));
        if (n == FDPASS_MAX && mine >= load[n - 1])
            continue;
        at = n < FDPASS_MAX ? n++ : n - 1;
        for (; at > 0 && load[at - 1] > mine; at--) {
            load[at] = load[at - 1];
            heirs[at] = heirs[at - 1];
        }
        load[at] = mine;
        heirs[at] = i;
    }
    return n;
}

/* The retiring child's end of a way to 'heir'; -1: there is none. */
static int
open_way(const struct master *m, size_t heir)
{
    const struct worker_message donor = { .word = MASTER_DONOR };
    int pair[2];
    bool told;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1)
        return -1;
    told = tell(m, heir, &donor, &pair[1], 1);
    close(pair[1]);
    if (told)
        return pair[0];
    close(pair[0]);
    return -1;
}

/* false: nobody inherits, or the child does not hear. */
static bool
name_heirs(const struct master *m, size_t slot)
{
    struct worker_message message = { .word = MASTER_RETIRE };
    size_t heirs[FDPASS_MAX], found = find_heirs(m, slot, heirs), i, n = 0;
    int ways[FDPASS_MAX];
    bool told;

    for (i = 0; i < found; i++) {
        if ((ways[n] = open_way(m, heirs[i])) != -1)
            message.slots[n++] = (uint32_t)heirs[i];
    }
    told = n > 0 && !m->foreign[slot] && tell(m, slot, &message, ways, n);
    while (n > 0)
        close(ways[--n]);
    return told;
}

static void
retire(struct master *m, size_t slot)
{
    const struct supervisor_slot *sl = &m->supervisor.slots[slot];
    usec_t now = clock_now();
    usec_t patience = master_wanted(m)->config->drain_timeout_ms * USEC_PER_MSEC;

    log_info("worker slot=%zu pid=%d retires generation=%u", slot, (int)sl->pid,
             sl->generation);
    m->heirless[slot] = false;
    if (sl->state == CHILD_STARTING || m->supervisor.mode == SUPERVISOR_PAUSED ||
        !name_heirs(m, slot))
        kill(sl->pid, SIGTERM);
    supervisor_retired(&m->supervisor, slot, now, now + patience + KILL_GRACE);
}

static void
console_heirless(struct master *m)
{
    size_t i;

    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->heirless[i] &&
            (m->supervisor.slots[i].state != CHILD_RETIRING || name_heirs(m, i)))
            m->heirless[i] = false;
    }
}

void
master_retire_due(struct master *m)
{
    long slot;

    if (master_stopping(m))
        return;
    while ((slot = supervisor_next_retiree(&m->supervisor)) != -1)
        retire(m, (size_t)slot);
    console_heirless(m);
    slot = supervisor_next_overdue(&m->supervisor, clock_now(), KILL_GRACE);
    if (slot == -1)
        return;
    log_warn("worker slot=%ld pid=%d does not retire; killing it", slot,
             (int)m->supervisor.slots[slot].pid);
    kill(m->supervisor.slots[slot].pid, SIGKILL);
}
