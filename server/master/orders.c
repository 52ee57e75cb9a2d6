/*
 * orders.c - what the operator says, by signal or by "fetchd -s".
 */
#include "server/master/state.h"

#include "common/log.h"
#include "server/master/signals.h"

#include <signal.h>
#include <unistd.h>

/* One worker more or less, until the next reload. */
static void
order_workers(struct master *m, int difference)
{
    size_t n = m->supervisor.nplaces, wanted = n + (size_t)difference;

    if (m->supervisor.mode != SUPERVISOR_RAISING || wanted < 1 ||
        wanted > SUPERVISOR_PLACES) {
        log_warn("workers stay at %zu", n);
        return;
    }
    log_info("workers=%zu, was %zu", wanted, n);
    supervisor_resize(&m->supervisor, wanted, clock_now());
}

/* A terminal that changes its size sends this signal too. */
static void
order_pause(struct master *m)
{
    if (isatty(STDERR_FILENO)) {
        log_debug("SIGWINCH from a terminal ignored");
        return;
    }
    log_info("paused: workers drain, connections queue until the next reload");
    supervisor_pause(&m->supervisor);
}

static void
take_signals(struct master *m)
{
    if (signals_take(SIGTERM))
        master_drain(m);
    if (signals_take(SIGQUIT))
        master_drain(m);
    if (signals_take(SIGINT))
        master_stop(m, HURRY_GRACE, 0);
    if (signals_take(SIGUSR1))
        master_reopen_log(m);
    if (signals_take(SIGHUP))
        outcome_ask(&m->outcomes, WISH_RELOAD);
    if (signals_take(SIGUSR2))
        outcome_ask(&m->outcomes, WISH_UPGRADE);
    /* While a generation is being raised these wait. */
    if (m->rolling)
        return;
    if (signals_take(SIGTTIN))
        order_workers(m, 1);
    if (signals_take(SIGTTOU))
        order_workers(m, -1);
    if (signals_take(SIGWINCH))
        order_pause(m);
}

static const char *
doing(const struct master *m)
{
    switch (m->supervisor.mode) {
    case SUPERVISOR_STOPPING:
        return "stopping";
    case SUPERVISOR_PAUSED:
        return "paused";
    case SUPERVISOR_RAISING:
        break;
    }
    if (!m->serving)
        return "starting";
    return m->rolling ? "reloading" : "serving";
}

/* What a signal would have said, said by "fetchd -s". */
static void
obey(struct master *m, enum command_verb verb, unsigned who)
{
    struct commands *c = m->house.premises.commands;
    const char *why;

    switch (verb) {
    case COMMAND_STOP:
    case COMMAND_QUIT:
        commands_tell(c, who, "stopping");
        master_drain(m);
        break;
    case COMMAND_RELOAD:
        commands_follow(c, who, outcome_ask(&m->outcomes, WISH_RELOAD));
        break;
    case COMMAND_REOPEN:
        if ((why = master_reopen_log(m)) == NULL)
            commands_answer(c, who, COMMAND_DONE, "log opened anew");
        else
            commands_answer(c, who, COMMAND_FAILED, "the log stays as it was: %s", why);
        break;
    case COMMAND_UPGRADE:
        commands_follow(c, who, outcome_ask(&m->outcomes, WISH_UPGRADE));
        break;
    case COMMAND_STATUS:
        break; /* answered by the house */
    }
}

static void
keep_house(struct master *m)
{
    int listen_fds[LISTENERS_MAX];
    const struct house_facts facts = {
        .listen_fds = listen_fds,
        .nlisten = listeners_of(&m->listeners, NULL, listen_fds),
        .board = m->board,
        .ready = supervisor_count(&m->supervisor, CHILD_READY),
        .wanted = m->supervisor.nplaces,
        .paused = m->supervisor.mode == SUPERVISOR_PAUSED,
        .doing = doing(m),
    };
    enum command_verb verb;
    unsigned who;

    while (house_command(&m->house, &facts, &verb, &who))
        obey(m, verb, who);
    commands_report(m->house.premises.commands, &m->outcomes);
    house_keep(&m->house, &facts, clock_now());
}

void
master_take_orders(struct master *m)
{
    take_signals(m);
    keep_house(m);
}
