/*
 * master.c - the process that raises the others.
 *
 * Owns: its start, its loop and its end.  What is to be done when is the supervisor's
 * judgement; the hands are in the rooms that state.h lists.
 */
#include "server/master/master.h"

#include "common/log.h"
#include "common/process.h"
#include "server/master/carry.h"
#include "server/master/daemon.h"
#include "server/master/identity.h"
#include "server/master/region.h"
#include "server/master/signals.h"
#include "server/master/state.h"
#include "server/worker/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the loop ------------------------------------------------------------------------ */

static struct timespec
master_sleep_time(const struct master *m)
{
    usec_t now = clock_now(), wake = supervisor_wakeup(&m->supervisor), left;
    usec_t beat = house_wakeup(&m->house);

    if (master_stopping(m) && (wake == 0 || m->kill_at < wake))
        wake = m->kill_at;
    if (beat != 0 && (wake == 0 || beat < wake))
        wake = beat;
    if (wake == 0)
        left = SUPERVISOR_WATCH_EVERY;
    else
        left = wake > now ? wake - now : 0;
    if (left > SUPERVISOR_WATCH_EVERY)
        left = SUPERVISOR_WATCH_EVERY;
    return (struct timespec){ (time_t)(left / USEC_PER_SEC),
                              (long)(left % USEC_PER_SEC) * 1000 };
}

/* Only what is there: poll(2) refuses more entries than RLIMIT_NOFILE, -1 included. */
static void
master_wait(struct master *m, struct pollfd *fds)
{
    struct timespec left = master_sleep_time(m);
    size_t i, n = 0, of[SCOREBOARD_CAPACITY];

    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->controls[i] == -1)
            continue;
        of[n] = i;
        fds[n++] = (struct pollfd){ .fd = m->controls[i], .events = POLLIN };
    }
    if (ppoll(fds, n + commands_poll(m->house.premises.commands, &fds[n]), &left,
              signals_sleep_mask()) <= 0)
        return;
    for (i = 0; i < n; i++) {
        if (fds[i].revents != 0)
            master_hear_all(m, of[i]);
    }
}

static int
master_loop(struct master *m)
{
    struct pollfd *fds = calloc(m->supervisor.nslots + COMMAND_POLLFDS, sizeof(*fds));

    if (fds == NULL) {
        log_error("cannot start: no memory");
        return WORKER_EXIT_START;
    }
    while (!master_stopping(m) || !supervisor_empty(&m->supervisor)) {
        master_raise_due(m);
        master_wait(m, fds);
        if (signals_take(SIGCHLD))
            master_reap(m);
        master_take_orders(m);
        master_kill_late(m);
        generation_go_on(m);
        master_retire_due(m);
        master_watch(m);
        master_lose_patience(m);
    }
    free(fds);
    return m->exit_code;
}

/* --- start and end --------------------------------------------------------------------- */

static bool
master_listen(struct master *m, const struct config *c)
{
    struct buf error = BUF_INIT;
    int given = m->launch->given_fds;
    bool ok = given > 0 ? listeners_take(&m->listeners, given, c->backlog, &error) == 0
                        : listeners_open(&m->listeners, c, &error) == 0;

    if (!ok)
        log_error("%.*s", SPAN_FMT(buf_span(&error)));
    buf_fini(&error);
    return ok;
}

static bool
master_prepare(struct master *m)
{
    const struct supervisor_rules none = { 0 };
    size_t i;

    m->controls = malloc(SCOREBOARD_CAPACITY * sizeof(*m->controls));
    if (m->controls == NULL ||
        supervisor_init(&m->supervisor, SCOREBOARD_CAPACITY, &none) == -1) {
        log_error("cannot start: no memory");
        return false;
    }
    for (i = 0; i < SCOREBOARD_CAPACITY; i++)
        m->controls[i] = -1;
    return true;
}

static bool
master_open(struct master *m, const struct config *c)
{
    if (!identity_choose(c->user, &m->identity)) {
        m->exit_code = WORKER_EXIT_CONFIG;
        return false;
    }
    m->pid_file = strdup(c->pid_file);
    m->user = strdup(c->user);
    if (m->pid_file == NULL || m->user == NULL)
        return false;
    if ((m->exit_code = house_open(&m->house, m->pid_file)) != 0)
        return false;
    m->exit_code = WORKER_EXIT_START;
    if (!master_listen(m, c) || !region_open(c, &m->cache))
        return false;
    if ((m->board = scoreboard_new(SCOREBOARD_CAPACITY)) == NULL)
        log_error("cannot start: no memory");
    return m->board != NULL;
}

/* In the place of the program before us: its children are ours, and the dead among them
 * are reaped before anything else. */
static bool
master_take_over(struct master *m, int carried, const struct config *c)
{
    if (!carry_restore(m, carried) || !region_take_over(c, &m->carried_cache, &m->cache))
        return false;
    m->serving = true;
    m->upgraded = true;
    log_info("took over version=" FETCHD_VERSION " generation=%u children=%zu",
             m->now.number,
             m->supervisor.nslots - supervisor_count(&m->supervisor, CHILD_NONE));
    master_reap(m);
    return true;
}

/* The first generation, or the first of this program. */
static void
master_begin(struct master *m, struct config *config)
{
    bool listening = !m->upgraded || master_listen(m, config);

    generation_start(m, config);
    if (!listening)
        generation_fail(m, WORKER_EXIT_START, "cannot listen on every address");
}

static void
master_close(struct master *m)
{
    listeners_close(&m->listeners);
    house_close(&m->house);
    scoreboard_free(&m->board);
    cache_free(&m->cache);
    supervisor_fini(&m->supervisor);
    config_free(&m->now.config);
    config_free(&m->next.config);
    free(m->controls);
    free(m->pid_file);
    free(m->user);
}

int
master_run(const struct master_plan *plan, struct config *config,
           struct daemon_launch *launch, int carried)
{
    struct master m = { .plan = plan,
                        .launch = launch,
                        .house = HOUSE_INIT,
                        .upgrade = { .out = -1 },
                        .exit_code = WORKER_EXIT_START };

    log_init("master", config->log_level);
    process_raise_nofile();
    srand48((long)clock_now() ^ (long)getpid());
    signals_init();
    if (master_prepare(&m) && (carried == -1 ? master_open(&m, config)
                                             : master_take_over(&m, carried, config))) {
        process_title("fetchd: master");
        master_begin(&m, config);
        m.exit_code = master_loop(&m);
    } else {
        config_free(&config);
    }
    master_close(&m);
    log_info("stopped exit=%d", m.exit_code);
    return m.exit_code;
}
