/*
 * reap.c - the master buries its children.
 */
#include "server/master/state.h"

#include "common/log.h"
#include "server/master/obituary.h"
#include "server/master/region.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void
bury(struct master *m, pid_t pid, int status)
{
    struct supervisor_death death;
    char how[96];
    size_t i;

    /* Its last words first: what it said before it died still counts. */
    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->supervisor.slots[i].pid == pid)
            master_hear_all(m, i);
    }
    if (upgrade_reaped(m, pid, status))
        return;
    if (!supervisor_reaped(&m->supervisor, pid, clock_now(), drand48(), &death)) {
        log_debug("reaped a stranger pid=%d", (int)pid);
        return;
    }
    if (m->controls[death.slot] != -1)
        close(m->controls[death.slot]);
    m->controls[death.slot] = -1;
    scoreboard_fold(m->board, death.slot);
    region_slot_died(m->cache, death.slot);
    obituary(status, how, sizeof(how));
    if (death.expected && !WIFSIGNALED(status)) {
        log_info("worker slot=%zu pid=%d ended %s", death.slot, (int)pid, how);
        return;
    }
    if (death.expected) {
        log_warn("worker slot=%zu pid=%d ended %s", death.slot, (int)pid, how);
    } else {
        scoreboard_count_death(m->board);
        log_warn("worker slot=%zu pid=%d died %s restarts=%u next_ms=%llu", death.slot,
                 (int)pid, how, death.restarts,
                 (unsigned long long)(death.delay / USEC_PER_MSEC));
    }
    obituary_last_words(scoreboard_box(m->board, death.slot), death.slot, pid,
                        !m->adopted[death.slot]);
}

void
master_reap(struct master *m)
{
    int status;
    pid_t pid;

    /* SIGCHLD says "at least one" (8 deaths, one signal: measured). */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        bury(m, pid, status);
}
