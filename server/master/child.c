/*
 * child.c - the birth of a worker.
 *
 * The order matters: handlers first (a signal that is pending would run the master's),
 * rights before PDEATHSIG (setuid clears it: measured), the look at the parent after it
 * (the master may have died in between).
 */
#include "server/master/child.h"

#include "common/log.h"
#include "server/master/daemon.h"
#include "server/master/house.h"
#include "server/master/listeners.h"
#include "server/master/resources.h"
#include "server/master/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void NORETURN
child_live(const struct child_birth *birth, pid_t master)
{
    const struct worker_heritage *h = &birth->heritage;
    const char *what = "";
    char name[32];
    size_t i;

    signals_reset_child();
    for (i = 0; i < birth->ncontrols; i++) {
        if (birth->controls[i] != -1)
            close(birth->controls[i]);
    }
    if (birth->check_fd != -1)
        close(birth->check_fd);
    listeners_forsake(birth->listeners, h->config);
    close(scoreboard_fd(h->board));
    house_forsake(birth->house);
    snprintf(name, sizeof(name), "worker/%zu", h->place);
    log_init(name, h->config->log_level);
    process_title("fetchd: worker %zu/%u gen %u", h->place, h->config->workers,
                  h->generation);
    resources_bind(h->config, h->place);
    if (process_become(birth->identity, &what) == -1)
        fatal("cannot become %s: %s", birth->identity->name, what);
    resources_allow_core(h->config);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        fatal("no_new_privs");
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
        fatal("parent death signal");
    if (getppid() != master)
        exit(WORKER_EXIT_OK);
    /* Not before: whoever waits for the start hears of what went wrong above. */
    daemon_leave(birth->launch);
    /* exit, not _exit: the master registers nothing to run here and buffers nothing,
     * and a leak check wants to see the end. */
    exit(worker_main(h));
}

pid_t
child_fork(const struct child_birth *birth)
{
    pid_t master = getpid(), pid = fork();

    if (pid == 0)
        child_live(birth, master);
    return pid;
}
