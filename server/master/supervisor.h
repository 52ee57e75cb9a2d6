/*
 * supervisor.h - which child is to be raised when; judgement without hands.
 *
 * Owns: the slots: who lives in them, since when, and when the next is due.  Pure state:
 * 'now' and chance are arguments, nothing is forked, killed or logged here, so every rule
 * is tested without a process.
 *
 *     DUE --spawned--> STARTING --ready--> READY
 *      ^                  |                  |
 *      +---- reaped, after a delay ----------+       (stopping: reaped --> GONE)
 *
 * The rule: a child that had been ready for 500 ms is replaced at once; one that died
 * sooner waits respawn_min * 2^k, up to respawn_max, +-20 %.
 */
#ifndef SERVER_MASTER_SUPERVISOR_H
#define SERVER_MASTER_SUPERVISOR_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum child_state {
    CHILD_DUE, /* to be raised at 'due' */
    CHILD_STARTING,
    CHILD_READY,
    CHILD_GONE, /* reaped while stopping; nobody follows */
};

/* How far the watchdog has gone with a child whose heart does not beat. */
enum watch_stage {
    WATCH_FINE,
    WATCH_WARNED,  /* silent for a second */
    WATCH_ABORTED, /* silent for hang_timeout: SIGABRT, for its last words */
    WATCH_KILLED,  /* and 2 s later: SIGKILL */
};

struct supervisor_slot {
    enum child_state state;
    pid_t pid; /* > 0 while STARTING or READY */
    usec_t since;
    usec_t due;
    unsigned early_deaths; /* in a row */
    enum watch_stage stage;
    unsigned restarts;
};

struct supervisor_rules {
    usec_t respawn_min;
    usec_t respawn_max;
    usec_t start_timeout; /* a child that is not ready by then is killed */
    usec_t hang_timeout;
};

struct supervisor {
    struct supervisor_rules rules;
    struct supervisor_slot *slots;
    size_t nslots;
    bool stopping;
    usec_t watched; /* when the hearts were looked at last */
};

/* What became of a reaped child. */
struct supervisor_death {
    size_t slot;
    bool was_ready;
    unsigned restarts;
    usec_t delay; /* until the next one; 0: at once */
};

/* -1: no memory.  Every slot is due at 'now'. */
int supervisor_init(struct supervisor *s, size_t nslots,
                    const struct supervisor_rules *rules, usec_t now) MUST_CHECK;
void supervisor_fini(struct supervisor *s);

/* A slot to fill now; -1: none. */
long supervisor_next_due(const struct supervisor *s, usec_t now);

void supervisor_spawned(struct supervisor *s, size_t slot, pid_t pid, usec_t now);

/* fork(2) failed: tries again later, by the same rule. */
void supervisor_not_spawned(struct supervisor *s, size_t slot, usec_t now, double chance);

/* The child in 'slot' serves. */
void supervisor_ready(struct supervisor *s, size_t slot, usec_t now);

/* A child was reaped; 'chance' is in [0, 1).  false: not one of ours. */
bool supervisor_reaped(struct supervisor *s, pid_t pid, usec_t now, double chance,
                       struct supervisor_death *out) MUST_CHECK;

/* From now on nobody is raised. */
void supervisor_stop(struct supervisor *s);

/* A child that took too long to get ready; -1: none. */
long supervisor_next_late(const struct supervisor *s, usec_t now);

/* How often hearts are looked at. */
#define SUPERVISOR_WATCH_EVERY (500 * USEC_PER_MSEC)

/* Time to look at the hearts?  When we ourselves come much too late (stopped, or the
 * machine was), the others may have been stopped with us: they get this round free. */
bool supervisor_watch_due(struct supervisor *s, usec_t now);

/* Looks at one heart that beat last at 'beat'.  Returns the stage that is to be acted on
 * now, WATCH_FINE when there is nothing to do. */
enum watch_stage supervisor_watch(struct supervisor *s, size_t slot, usec_t beat,
                                  usec_t now);

/* When to look again at the latest; 0: nothing is planned. */
usec_t supervisor_wakeup(const struct supervisor *s);

/* How many slots are in this state. */
size_t supervisor_count(const struct supervisor *s, enum child_state state);

/* Does any child live? */
bool supervisor_empty(const struct supervisor *s);

#endif
