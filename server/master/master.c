/*
 * master.c - the process that raises the others.
 *
 * Owns: the hands: it forks, listens to its children, reaps, kills and logs.  What is to
 * be done when is the supervisor's judgement.
 *
 *     STARTING --all ready--> RUNNING --TERM, QUIT--> STOPPING --all reaped--> exit 0
 *         +-- refused, start_timeout --> STOPPING --> exit 78 or 1
 */
#include "server/master/master.h"

#include "common/log.h"
#include "common/process.h"
#include "server/master/child.h"
#include "server/master/daemon.h"
#include "server/master/house.h"
#include "server/master/identity.h"
#include "server/master/listeners.h"
#include "server/master/obituary.h"
#include "server/master/signals.h"
#include "server/master/supervisor.h"
#include "server/stats/scoreboard.h"
#include "server/worker/accept.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Past the drain deadline, or told to hurry: what a worker gets before SIGKILL. */
#define KILL_GRACE (1 * USEC_PER_SEC)
#define HURRY_GRACE (100 * USEC_PER_MSEC)

struct master {
    const struct config *config;
    struct listeners listeners;
    struct scoreboard *board;
    struct supervisor supervisor;
    struct process_identity identity;
    size_t max_connections;
    int *controls; /* one for each slot, -1: no child */
    bool serving;  /* every worker was ready once */
    int exit_code;
    usec_t kill_at; /* while stopping: when patience ends */
    struct daemon_launch *launch;
    struct house house;
};

/* --- stopping ----------------------------------------------------------------------- */

static void
master_signal_children(const struct master *m, int signal_number)
{
    size_t i;

    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->supervisor.slots[i].pid > 1)
            kill(m->supervisor.slots[i].pid, signal_number);
    }
}

static void
master_stop(struct master *m, usec_t patience, int exit_code)
{
    usec_t at = clock_now() + patience;

    if (!m->supervisor.stopping) {
        log_info("draining patience_ms=%llu",
                 (unsigned long long)(patience / USEC_PER_MSEC));
        notify_stopping(&m->house.notify);
        listeners_close(&m->listeners);
        supervisor_stop(&m->supervisor);
        m->exit_code = exit_code;
        m->kill_at = at;
        master_signal_children(m, SIGTERM);
    } else if (at < m->kill_at) {
        m->kill_at = at;
    }
}

/* Asked again, it hurries. */
static void
master_drain(struct master *m)
{
    if (m->supervisor.stopping)
        master_stop(m, HURRY_GRACE, 0);
    else
        master_stop(m, m->config->drain_timeout_ms * USEC_PER_MSEC + KILL_GRACE, 0);
}

static void
master_take_signals(struct master *m)
{
    if (signals_take(SIGTERM))
        master_drain(m);
    if (signals_take(SIGQUIT))
        master_drain(m);
    if (signals_take(SIGINT))
        master_stop(m, HURRY_GRACE, 0);
}

static void
master_lose_patience(struct master *m)
{
    if (!m->supervisor.stopping || clock_now() < m->kill_at)
        return;
    log_warn("drain: out of patience, killing workers=%zu",
             supervisor_count(&m->supervisor, CHILD_READY) +
                 supervisor_count(&m->supervisor, CHILD_STARTING));
    master_signal_children(m, SIGKILL);
    m->kill_at = clock_now() + KILL_GRACE;
}

/* --- raising -------------------------------------------------------------------------- */

static void
master_spawn(struct master *m, size_t slot)
{
    int pair[2];
    struct child_birth birth = {
        .heritage = { .config = m->config,
                      .board = m->board,
                      .slot = slot,
                      .listen_fds = m->listeners.fds,
                      .nlisten = m->listeners.n,
                      .serving = m->serving,
                      .max_connections = m->max_connections },
        .identity = &m->identity,
        .foreign_fds = m->controls,
        .nforeign = m->supervisor.nslots,
        .launch = m->launch,
        .house = &m->house,
    };
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
        -1) {
        log_error("worker slot=%zu cannot be raised: socketpair: %s", slot,
                  strerror(errno));
        supervisor_not_spawned(&m->supervisor, slot, clock_now(), drand48());
        return;
    }
    scoreboard_use(m->board, slot);
    m->controls[slot] = pair[0];
    birth.heritage.control_fd = pair[1];
    pid = child_fork(&birth);
    close(pair[1]);
    if (pid == -1) {
        log_error("worker slot=%zu cannot be raised: fork: %s", slot, strerror(errno));
        close(pair[0]);
        m->controls[slot] = -1;
        supervisor_not_spawned(&m->supervisor, slot, clock_now(), drand48());
        return;
    }
    log_info("worker slot=%zu pid=%d started", slot, (int)pid);
    supervisor_spawned(&m->supervisor, slot, pid, clock_now());
}

static void
master_raise_due(struct master *m)
{
    long slot;

    while ((slot = supervisor_next_due(&m->supervisor, clock_now())) != -1)
        master_spawn(m, (size_t)slot);
}

/* A child that does not get ready is ended; as a death it is judged when reaped. */
static void
master_kill_late(struct master *m)
{
    long slot = supervisor_next_late(&m->supervisor, clock_now());

    if (slot == -1)
        return;
    log_error("worker slot=%ld pid=%d not ready within start_timeout; killing it", slot,
              (int)m->supervisor.slots[slot].pid);
    kill(m->supervisor.slots[slot].pid, SIGKILL);
    m->supervisor.slots[slot].since = clock_now();
    if (!m->serving)
        master_stop(m, KILL_GRACE, WORKER_EXIT_START);
}

/* A worker that is alive but does not run: its heart, in shared memory, stands still. */
static void
master_watch(struct master *m)
{
    usec_t now = clock_now(), beat;
    size_t i;

    if (!supervisor_watch_due(&m->supervisor, now))
        return;
    for (i = 0; i < m->supervisor.nslots; i++) {
        int pid = (int)m->supervisor.slots[i].pid;

        beat = slot_heartbeat(scoreboard_slot(m->board, i));
        switch (supervisor_watch(&m->supervisor, i, beat, now)) {
        case WATCH_FINE:
            break;
        case WATCH_WARNED:
            log_warn("worker slot=%zu pid=%d does not respond silent_ms=%llu", i, pid,
                     (unsigned long long)((now - beat) / USEC_PER_MSEC));
            break;
        case WATCH_ABORTED:
            log_error("worker slot=%zu pid=%d hangs; aborting it", i, pid);
            kill(pid, SIGABRT);
            break;
        case WATCH_KILLED:
            log_error("worker slot=%zu pid=%d still hangs; killing it", i, pid);
            kill(pid, SIGKILL);
            break;
        }
    }
}

/* --- listening to children ---------------------------------------------------------------- */

static void
master_on_ready(struct master *m, size_t slot)
{
    log_info("worker slot=%zu pid=%d ready", slot, (int)m->supervisor.slots[slot].pid);
    supervisor_ready(&m->supervisor, slot, clock_now());
    if (m->serving ||
        supervisor_count(&m->supervisor, CHILD_READY) < m->supervisor.nslots)
        return;
    m->serving = true;
    log_info("ready workers=%zu", m->supervisor.nslots);
    notify_ready(&m->house.notify);
    daemon_ready(m->launch);
}

static void
master_on_refused(struct master *m, size_t slot, const char *text)
{
    if (m->serving)
        log_error("worker slot=%zu refuses: %s", slot, text);
    else if (!m->supervisor.stopping)
        log_error("%s", text);
    if (!m->serving)
        master_stop(m, KILL_GRACE, WORKER_EXIT_CONFIG);
}

/* Reads one message; false: nothing more to read now. */
static bool
master_hear(struct master *m, size_t slot)
{
    struct worker_message message;
    ssize_t n = recv(m->controls[slot], &message, sizeof(message), MSG_DONTWAIT);

    if (n == -1 && errno == EINTR)
        return true;
    if (n != (ssize_t)sizeof(message)) {
        if (n == 0) {
            /* It is dying; SIGCHLD will say so.  No more to hear. */
            close(m->controls[slot]);
            m->controls[slot] = -1;
        }
        return false;
    }
    message.text[WORKER_TEXT_MAX - 1] = '\0';
    switch (message.word) {
    case WORKER_READY:
        master_on_ready(m, slot);
        break;
    case WORKER_REFUSED:
        master_on_refused(m, slot, message.text);
        break;
    }
    return true;
}

static void
master_hear_all(struct master *m, size_t slot)
{
    while (m->controls[slot] != -1 && master_hear(m, slot))
        ;
}

/* --- reaping -------------------------------------------------------------------------------- */

static void
master_bury(struct master *m, pid_t pid, int status)
{
    struct supervisor_death death;
    char how[96];
    size_t i;

    /* Its last words first: what it said before it died still counts. */
    for (i = 0; i < m->supervisor.nslots; i++) {
        if (m->supervisor.slots[i].pid == pid)
            master_hear_all(m, i);
    }
    if (!supervisor_reaped(&m->supervisor, pid, clock_now(), drand48(), &death)) {
        log_debug("reaped a stranger pid=%d", (int)pid);
        return;
    }
    if (m->controls[death.slot] != -1)
        close(m->controls[death.slot]);
    m->controls[death.slot] = -1;
    scoreboard_fold(m->board, death.slot);
    obituary(status, how, sizeof(how));
    if (m->supervisor.stopping) {
        log_info("worker slot=%zu pid=%d ended %s", death.slot, (int)pid, how);
        return;
    }
    scoreboard_count_death(m->board);
    log_warn("worker slot=%zu pid=%d died %s restarts=%u next_ms=%llu", death.slot,
             (int)pid, how, death.restarts,
             (unsigned long long)(death.delay / USEC_PER_MSEC));
}

static void
master_reap(struct master *m)
{
    int status;
    pid_t pid;

    /* SIGCHLD says "at least one" (8 deaths, one signal: measured). */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        master_bury(m, pid, status);
}

static const char *
master_doing(const struct master *m)
{
    if (m->supervisor.stopping)
        return "stopping";
    return m->serving ? "serving" : "starting";
}

/* What a signal would have said, said by "fetchd -s". */
static void
master_obey(struct master *m, enum command_verb verb, unsigned who)
{
    struct commands *c = m->house.premises.commands;

    switch (verb) {
    case COMMAND_STOP:
    case COMMAND_QUIT:
        commands_tell(c, who, "stopping");
        master_drain(m);
        break;
    case COMMAND_STATUS:
    case COMMAND_RELOAD:
    case COMMAND_REOPEN:
    case COMMAND_UPGRADE:
        commands_answer(c, who, COMMAND_FAILED, "%s: not supported yet",
                        command_name(verb));
        break;
    }
}

static void
master_keep_house(struct master *m)
{
    const struct house_facts facts = {
        .listen_fds = m->listeners.fds,
        .nlisten = m->listeners.n,
        .board = m->board,
        .ready = supervisor_count(&m->supervisor, CHILD_READY),
        .wanted = m->config->workers,
        .doing = master_doing(m),
    };
    enum command_verb verb;
    unsigned who;

    while (house_command(&m->house, &facts, &verb, &who))
        master_obey(m, verb, who);
    house_keep(&m->house, &facts, clock_now());
}

/* --- the loop ----------------------------------------------------------------------------------- */

static struct timespec
master_sleep_time(const struct master *m)
{
    usec_t now = clock_now(), wake = supervisor_wakeup(&m->supervisor), left;
    usec_t beat = house_wakeup(&m->house);

    if (m->supervisor.stopping && (wake == 0 || m->kill_at < wake))
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

static void
master_wait(struct master *m, struct pollfd *fds)
{
    struct timespec left = master_sleep_time(m);
    size_t i, n = m->supervisor.nslots;

    for (i = 0; i < n; i++)
        fds[i] = (struct pollfd){ .fd = m->controls[i], .events = POLLIN };
    if (ppoll(fds, n + commands_poll(m->house.premises.commands, &fds[n]), &left,
              signals_sleep_mask()) <= 0)
        return;
    for (i = 0; i < n; i++) {
        if (fds[i].revents != 0)
            master_hear_all(m, i);
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
    while (!m->supervisor.stopping || !supervisor_empty(&m->supervisor)) {
        master_raise_due(m);
        master_wait(m, fds);
        if (signals_take(SIGCHLD))
            master_reap(m);
        master_take_signals(m);
        master_kill_late(m);
        master_watch(m);
        master_keep_house(m);
        master_lose_patience(m);
    }
    free(fds);
    return m->exit_code;
}

/* --- start and end -------------------------------------------------------------------------------- */

static bool
master_open(struct master *m)
{
    const struct config *c = m->config;
    const struct supervisor_rules rules = {
        .respawn_min = c->respawn_min_ms * USEC_PER_MSEC,
        .respawn_max = c->respawn_max_ms * USEC_PER_MSEC,
        .start_timeout = c->start_timeout_ms * USEC_PER_MSEC,
        .hang_timeout = c->hang_timeout_ms * USEC_PER_MSEC,
    };
    size_t i;

    if (!identity_choose(c->user, &m->identity)) {
        m->exit_code = WORKER_EXIT_CONFIG;
        return false;
    }
    if ((m->exit_code = house_open(&m->house, c->pid_file)) != 0)
        return false;
    m->exit_code = WORKER_EXIT_START;
    if (listeners_open(&m->listeners, c, m->launch->given_fds) == -1)
        return false;
    m->board = scoreboard_new(SCOREBOARD_CAPACITY);
    m->controls = malloc(c->workers * sizeof(*m->controls));
    if (m->board == NULL || m->controls == NULL ||
        supervisor_init(&m->supervisor, c->workers, &rules, clock_now()) == -1) {
        log_error("cannot start: no memory");
        return false;
    }
    for (i = 0; i < c->workers; i++)
        m->controls[i] = -1;
    return true;
}

int
master_run(const struct config *config, struct daemon_launch *launch)
{
    struct master m = { .config = config,
                        .launch = launch,
                        .house = HOUSE_INIT,
                        .exit_code = WORKER_EXIT_START };
    int code;

    log_init("master", config->log_level);
    process_raise_nofile();
    m.max_connections = accept_max_connections(config);
    srand48((long)clock_now() ^ (long)getpid());
    signals_init();
    if (master_open(&m)) {
        process_title("fetchd: master");
        m.exit_code = master_loop(&m);
    }
    code = m.exit_code;
    listeners_close(&m.listeners);
    house_close(&m.house);
    scoreboard_free(&m.board);
    supervisor_fini(&m.supervisor);
    free(m.controls);
    log_info("stopped exit=%d", code);
    return code;
}
