/*
 * watch.c - the master looks at its children's hearts.
 */
#include "server/master/state.h"

#include "common/log.h"

#include <signal.h>

static void
watch_one(struct master *m, size_t slot, usec_t now)
{
    usec_t beat = slot_heartbeat(scoreboard_slot(m->board, slot));
    int pid = (int)m->supervisor.slots[slot].pid;

    switch (supervisor_watch(&m->supervisor, slot, beat, now)) {
    case WATCH_FINE:
        break;
    case WATCH_WARNED:
        log_warn("worker slot=%zu pid=%d does not respond silent_ms=%llu", slot, pid,
                 (unsigned long long)((now - beat) / USEC_PER_MSEC));
        break;
    case WATCH_ABORTED:
        log_error("worker slot=%zu pid=%d hangs; aborting it", slot, pid);
        kill(pid, SIGABRT);
        break;
    case WATCH_KILLED:
        log_error("worker slot=%zu pid=%d still hangs; killing it", slot, pid);
        kill(pid, SIGKILL);
        break;
    }
}

void
master_watch(struct master *m)
{
    usec_t now = clock_now();
    size_t i;

    if (!supervisor_watch_due(&m->supervisor, now))
        return;
    for (i = 0; i < m->supervisor.nslots; i++)
        if (!m->foreign[i])
            watch_one(m, i, now);
}
