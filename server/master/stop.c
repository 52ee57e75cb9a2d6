/*
 * stop.c - the end of the server.
 *
 * The listening sockets go first.  Newcomers are held off until the last worker has
 * emptied the accept queue and closed it, a millisecond mostly; from then on the kernel
 * refuses them, and those who were held off when they try again, a second later.  Then
 * every child drains, and who outlives our patience is killed.
 */
#include "server/master/state.h"

#include "common/log.h"

#include <signal.h>

static void
signal_children(const struct master *m, int signal_number)
{
    size_t i;

    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->supervisor.slots[i].pid > 1)
            kill(m->supervisor.slots[i].pid, signal_number);
    }
}

void
master_stop(struct master *m, usec_t patience, int exit_code)
{
    usec_t at = clock_now() + patience;

    if (!master_stopping(m)) {
        log_info("draining patience_ms=%llu",
                 (unsigned long long)(patience / USEC_PER_MSEC));
        notify_stopping(&m->house.notify);
        listeners_close(&m->listeners);
        supervisor_stop(&m->supervisor);
        m->exit_code = exit_code;
        m->kill_at = at;
        signal_children(m, SIGTERM);
    } else if (at < m->kill_at) {
        m->kill_at = at;
    }
}

void
master_drain(struct master *m)
{
    usec_t patience = master_wanted(m)->config->drain_timeout_ms * USEC_PER_MSEC;

    master_stop(m, master_stopping(m) ? HURRY_GRACE : patience + KILL_GRACE, 0);
}

void
master_lose_patience(struct master *m)
{
    const struct supervisor *s = &m->supervisor;

    if (!master_stopping(m) || clock_now() < m->kill_at)
        return;
    log_warn("drain: out of patience, killing workers=%zu",
             s->nslots - supervisor_count(s, CHILD_NONE));
    signal_children(m, SIGKILL);
    m->kill_at = clock_now() + KILL_GRACE;
}
