/*
 * watch.c - the master looks at its children's hearts.
 */
#include "server/master/state.h"

#include "common/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* A younger worker is not replaced: if a fresh one is too large already, replacing it
 * again and again would be all we do. */
#define RECYCLE_AGE (2 * USEC_PER_SEC)

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

/* --- recycling ----------------------------------------------------------------------- */

/* Resident bytes of a process; 0: unknown. */
static uint64_t
rss_of(pid_t pid)
{
    char path[32], text[64] = "";
    unsigned long long all, resident = 0;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
        return 0;
    if (read(fd, text, sizeof(text) - 1) > 0)
        (void)sscanf(text, "%llu %llu", &all, &resident);
    close(fd);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Has it done, or grown, enough to be replaced?  Each has a limit of its own, so that they
 * do not all come to it together. */
static void
look_at_wear(struct master *m, size_t slot, usec_t now)
{
    const struct config *c = master_wanted(m)->config;
    const struct supervisor_slot *sl = &m->supervisor.slots[slot];
    uint64_t requests, limit, rss = 0;

    if (!supervisor_is_current(&m->supervisor, slot) || now - sl->since < RECYCLE_AGE)
        return;
    limit = (uint64_t)((double)c->recycle_requests * (0.9 + 0.2 * m->jitter[slot]));
    requests =
        metrics_get(slot_metrics(scoreboard_slot(m->board, slot)), METRIC_requests);
    if (c->recycle_rss_bytes > 0)
        rss = rss_of(sl->pid);
    if ((limit == 0 || requests < limit) && rss <= c->recycle_rss_bytes)
        return;
    log_info("worker slot=%zu pid=%d is to be replaced requests=%llu rss=%llu", slot,
             (int)sl->pid, (unsigned long long)requests, (unsigned long long)rss);
    supervisor_wear(&m->supervisor, slot);
}

void
master_watch(struct master *m)
{
    usec_t now = clock_now();
    size_t i;

    if (!supervisor_watch_due(&m->supervisor, now))
        return;
    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->supervisor.slots[i].state == CHILD_NONE || m->foreign[i])
            continue;
        watch_one(m, i, now);
        look_at_wear(m, i, now);
    }
}
