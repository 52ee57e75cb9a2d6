/*
 * state.h - a master from the inside: the one struct its rooms share.
 *
 * Owns: the shape of struct master and who does what to it:
 *
 *     orders      what the operator says, by signals and "fetchd -s", and is shown
 *     generation  configurations: checked, raised, taken back
 *     spawn       raises children the supervisor names
 *     retire      lets children go, and names the heirs of their clients
 *     hear        what children say
 *     reap        buries them
 *     watch       looks at their hearts
 *     reopen      the log file, anew
 *     upgrade     puts another program in our place
 *     stop        the end
 */
#ifndef SERVER_MASTER_STATE_H
#define SERVER_MASTER_STATE_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/process.h"
#include "server/config/config.h"
#include "server/master/house.h"
#include "server/master/listeners.h"
#include "server/master/master.h"
#include "server/master/outcome.h"
#include "server/master/region.h"
#include "server/master/supervisor.h"
#include "server/stats/scoreboard.h"

#include <stdbool.h>
#include <stddef.h>

struct daemon_launch;

/* What a worker gets beyond its own patience before SIGKILL, and when it must hurry. */
#define KILL_GRACE (1 * USEC_PER_SEC)
#define HURRY_GRACE (100 * USEC_PER_MSEC)

/* A configuration and the children that live by it. */
struct generation {
    unsigned number;
    struct config *config; /* NULL: none that we know */
};

/* An upgrade that is being checked. */
struct upgrade {
    pid_t pid; /* of the check; 0: none */
    int out;   /* what it says; -1: nothing */
    usec_t until;
    bool approved; /* to be executed as soon as nothing else goes on */
};

struct master {
    const struct master_plan *plan;
    struct daemon_launch *launch;
    struct house house;
    char *pid_file;
    char *user;
    struct process_identity identity;
    struct listeners listeners;
    struct scoreboard *board;
    struct cache *cache; /* NULL: none */
    struct supervisor supervisor;
    int *controls;                      /* one for each slot, -1: no child */
    bool heirless[SCOREBOARD_CAPACITY]; /* retires, and could give nobody its clients */
    bool foreign[SCOREBOARD_CAPACITY];  /* another program's: it knows only signals */
    bool adopted[SCOREBOARD_CAPACITY];  /* raised by the program before us */
    double jitter[SCOREBOARD_CAPACITY]; /* in [0, 1), of a child's wear */
    unsigned serial;                    /* of the child that was born last */

    struct generation now;  /* what goes on if the next one fails */
    struct generation next; /* while rolling: what is being raised */
    bool rolling;
    usec_t rolling_since;
    unsigned last_generation;
    struct outcomes outcomes;

    bool serving; /* every worker was ready once */
    int exit_code;
    usec_t kill_at; /* while stopping: when patience ends */

    struct upgrade upgrade;
    bool upgraded;       /* this program took over, and its first generation is raised */
    int carried_control; /* WORKER_CONTROL of the program before us */
    bool blind;          /* its scoreboard is not ours */
    struct region_fds carried_cache;
};

/* Is it to end? */
static inline bool
master_stopping(const struct master *m)
{
    return m->supervisor.mode == SUPERVISOR_STOPPING;
}

/* The generation that children are raised for. */
static inline const struct generation *
master_wanted(const struct master *m)
{
    return m->rolling ? &m->next : &m->now;
}

/* --- orders.c --- */

/* Does what signals and commands ask for, and shows how it goes. */
void master_take_orders(struct master *m);

/* --- generation.c --- */

/* Raises the first generation; takes the configuration. */
void generation_start(struct master *m, struct config *config);

/* Goes on with a change of generations: begins one that is wished for, ends one whose
 * workers all serve or cannot. */
void generation_go_on(struct master *m);

/* The generation that is being raised cannot serve.  When it is the first, the start has
 * failed with this exit code. */
void generation_fail(struct master *m, int exit_code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* --- upgrade.c --- */

/* Goes on with an upgrade; does not return when the new program takes over. */
void upgrade_go_on(struct master *m);

/* Was that reaped child the check of an upgrade? */
bool upgrade_reaped(struct master *m, pid_t pid, int status) MUST_CHECK;

/* --- spawn.c --- */

/* Raises whom the supervisor wants raised. */
void master_raise_due(struct master *m);

/* Ends a child that does not get ready; as a death it is judged when reaped. */
void master_kill_late(struct master *m);

/* --- retire.c --- */

/* Lets go whom the supervisor wants no more, and ends those who take too long over it. */
void master_retire_due(struct master *m);

/* --- hear.c --- */

/* Everything the child in 'slot' has said. */
void master_hear_all(struct master *m, size_t slot);

/* --- reap.c --- */

void master_reap(struct master *m);

/* --- watch.c --- */

/* A worker that is alive but does not run: its heart, in shared memory, stands still. */
void master_watch(struct master *m);

/* --- reopen.c --- */

/* Opens the log anew, for everybody.  NULL, or why not; logged. */
const char *master_reopen_log(struct master *m);

/* --- stop.c --- */

/* Ends everything: at once when nobody lives, else with so much patience. */
void master_stop(struct master *m, usec_t patience, int exit_code);

/* Drains; asked again, it hurries. */
void master_drain(struct master *m);

/* While stopping: kills who has outlived our patience. */
void master_lose_patience(struct master *m);

#endif
