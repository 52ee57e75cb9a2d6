/*
 * retire.c - the master lets children go.
 */
#include "server/master/state.h"

#include "common/log.h"

#include <signal.h>

static void
retire(struct master *m, size_t slot)
{
    const struct supervisor_slot *sl = &m->supervisor.slots[slot];
    usec_t now = clock_now();
    usec_t patience = master_wanted(m)->config->drain_timeout_ms * USEC_PER_MSEC;

    log_info("worker slot=%zu pid=%d retires generation=%u", slot, (int)sl->pid,
             sl->generation);
    kill(sl->pid, SIGTERM);
    supervisor_retired(&m->supervisor, slot, now, now + patience + KILL_GRACE);
}

void
master_retire_due(struct master *m)
{
    long slot;

    while ((slot = supervisor_next_retiree(&m->supervisor)) != -1)
        retire(m, (size_t)slot);
    slot = supervisor_next_overdue(&m->supervisor, clock_now(), KILL_GRACE);
    if (slot == -1)
        return;
    log_warn("worker slot=%ld pid=%d does not retire; killing it", slot,
             (int)m->supervisor.slots[slot].pid);
    kill(m->supervisor.slots[slot].pid, SIGKILL);
}
