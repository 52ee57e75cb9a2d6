/*
 * generation.c - configurations: checked, raised, taken back.
 *
 *     wish --load, listen--> ROLLING --every place has a new worker--> committed
 *       +-- refused: nothing changed  +-- a worker refuses, is late, or three die:
 *                                         rolled back, the old configuration goes on
 *
 * The start is a change of generations too, from none to the first: it fails instead of
 * being rolled back.
 */
#include "server/master/state.h"

#include "common/log.h"
#include "server/master/daemon.h"
#include "server/worker/worker.h"

#include <stdarg.h>
#include <stdio.h>

/* Children of a new generation that die early are an accident, so many are not. */
#define FAILURES_MAX 3

static struct supervisor_rules
rules_of(const struct config *c)
{
    return (struct supervisor_rules){
        .respawn_min = c->respawn_min_ms * USEC_PER_MSEC,
        .respawn_max = c->respawn_max_ms * USEC_PER_MSEC,
        .start_timeout = c->start_timeout_ms * USEC_PER_MSEC,
        .hang_timeout = c->hang_timeout_ms * USEC_PER_MSEC,
    };
}

/* From now on children are raised for 'g'. */
static void
turn_to(struct master *m, const struct generation *g)
{
    m->supervisor.rules = rules_of(g->config);
    supervisor_turn(&m->supervisor, g->number, g->config->workers, clock_now());
    log_init("master", g->config->log_level);
}

void
generation_start(struct master *m, struct config *config)
{
    m->next = (struct generation){ ++m->last_generation, config };
    m->rolling = true;
    m->rolling_since = clock_now();
    turn_to(m, &m->next);
}

/* Which wish is it that this change of generations fulfils? */
static enum wish
wish_of(const struct master *m)
{
    return m->upgraded ? WISH_UPGRADE : WISH_RELOAD;
}

static void
commit(struct master *m)
{
    bool first = !m->serving;

    config_free(&m->now.config);
    m->now = m->next;
    m->next.config = NULL;
    m->rolling = false;
    m->serving = true;
    listeners_keep(&m->listeners, m->now.config);
    if (first) {
        log_info("ready workers=%zu", m->supervisor.nplaces);
        notify_ready(&m->house.notify);
        daemon_ready(m->launch);
        return;
    }
    notify_ready(&m->house.notify);
    log_info("%s generation=%u workers=%zu took_ms=%llu",
             m->upgraded ? "upgraded version=" FETCHD_VERSION : "reloaded", m->now.number,
             m->supervisor.nplaces,
             (unsigned long long)((clock_now() - m->rolling_since) / USEC_PER_MSEC));
    outcome_settle(&m->outcomes, wish_of(m), OUTCOME_OK,
                   "generation %u serves with %zu workers", m->now.number,
                   m->supervisor.nplaces);
    m->upgraded = false;
}

/* The old program's workers are there, its configuration is not: they go on as long as
 * they live, and who dies is followed by one of ours. */
static void
be_content(struct master *m, const char *why)
{
    log_error("upgrade: the new workers cannot serve reason=\"%s\"; the old ones go on",
              why);
    supervisor_content(&m->supervisor);
    m->now = m->next;
    m->next.config = NULL;
    m->rolling = false;
    m->upgraded = false;
    notify_ready(&m->house.notify);
    outcome_settle(&m->outcomes, WISH_UPGRADE, OUTCOME_ROLLED_BACK, "%s", why);
}

static void
roll_back(struct master *m, const char *why)
{
    log_error("reload rolled back generation=%u reason=\"%s\"; generation=%u goes on",
              m->next.number, why, m->now.number);
    notify_ready(&m->house.notify);
    m->rolling = false;
    config_free(&m->next.config);
    listeners_keep(&m->listeners, m->now.config);
    turn_to(m, &m->now);
    outcome_settle(&m->outcomes, WISH_RELOAD, OUTCOME_ROLLED_BACK, "%s", why);
}

void
generation_fail(struct master *m, int exit_code, const char *fmt, ...)
{
    char why[OUTCOME_TEXT_MAX];
    va_list ap;

    if (!m->rolling || master_stopping(m))
        return;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (m->upgraded) {
        be_content(m, why);
        return;
    }
    if (m->serving) {
        roll_back(m, why);
        return;
    }
    log_error("%s", why);
    master_stop(m, KILL_GRACE, exit_code);
}

/* --- a reload ------------------------------------------------------------------------ */

static void
refuse(struct master *m, struct buf *error)
{
    log_error("reload refused: %.*s; generation=%u goes on", SPAN_FMT(buf_span(error)),
              m->now.number);
    outcome_settle(&m->outcomes, WISH_RELOAD, OUTCOME_REFUSED, "%.*s",
                   SPAN_FMT(buf_span(error)));
}

static void
tell_what_needs_a_restart(const struct config *old, const struct config *new)
{
    struct buf names = BUF_INIT;

    config_restart_changes(old, new, &names);
    if (buf_size(&names) > 0)
        log_warn("reload: changed, but in effect only after a restart: %.*s",
                 SPAN_FMT(buf_span(&names)));
    buf_fini(&names);
}

static void
reload(struct master *m)
{
    struct buf error = BUF_INIT;
    struct config *config;

    outcome_begin(&m->outcomes, WISH_RELOAD);
    notify_reloading(&m->house.notify, clock_now());
    config = m->plan->load(m->plan->arg, &error);
    if (config == NULL || listeners_open(&m->listeners, config, &error) == -1) {
        refuse(m, &error);
        notify_ready(&m->house.notify);
        config_free(&config);
    } else {
        tell_what_needs_a_restart(m->now.config, config);
        generation_start(m, config);
        log_info("reload begins generation=%u workers=%u", m->next.number,
                 config->workers);
    }
    buf_fini(&error);
}

static void
refuse_all(struct master *m)
{
    int i;

    for (i = 0; i < WISH_NWISHES; i++) {
        outcome_begin(&m->outcomes, (enum wish)i);
        if (outcome_running(&m->outcomes, (enum wish)i))
            outcome_settle(&m->outcomes, (enum wish)i, OUTCOME_REFUSED,
                           "the server is stopping");
    }
}

void
generation_go_on(struct master *m)
{
    if (master_stopping(m)) {
        refuse_all(m);
        upgrade_go_on(m);
        return;
    }
    if (m->rolling && supervisor_settled(&m->supervisor))
        commit(m);
    if (m->rolling && m->supervisor.failures >= FAILURES_MAX)
        generation_fail(m, WORKER_EXIT_START, "%u workers died while they started",
                        m->supervisor.failures);
    if (!m->rolling && m->serving && m->upgrade.pid == 0 &&
        outcome_wanted(&m->outcomes, WISH_RELOAD))
        reload(m);
    upgrade_go_on(m);
}
