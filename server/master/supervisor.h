/*
 * supervisor.h - which child is to be raised or to retire when; judgement without hands.
 *
 * Owns: places and slots.  A place is a worker the server wants (0 to workers - 1); a
 * slot is where a child lives (in the scoreboard too), and a place whose child is being
 * replaced has two.  Pure state: 'now' and chance are arguments, nothing is forked,
 * killed or logged here, so every rule is tested without a process.
 *
 *                 +-- reaped ---------------------------------+
 *                 v                                           |
 *     slot:     NONE --spawned--> STARTING --ready--> READY --+-- retired --> RETIRING
 *
 * The rules:
 * - a place with nobody ready is filled as soon as it is due;
 * - a child is stale when it is of another generation than the wanted one, or worn.  It
 *   is replaced: the new one gets ready first, one replacement at a time in the whole
 *   server, and none while a place is empty;
 * - a child is superfluous, and retires, when a current one serves its place too; and
 *   one whose place is wanted no more when every place that is has a current one;
 * - a child that had been ready for 500 ms is followed at once; after one that died
 *   sooner the place waits respawn_min * 2^k, up to respawn_max, +-20 %.
 */
#ifndef SERVER_MASTER_SUPERVISOR_H
#define SERVER_MASTER_SUPERVISOR_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum child_state {
    CHILD_NONE,
    CHILD_STARTING,
    CHILD_READY,
    CHILD_RETIRING, /* wanted no more; has until 'until' */
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
    pid_t pid; /* > 1 unless NONE */
    size_t place;
    unsigned generation;
    usec_t since; /* in this state */
    usec_t until; /* RETIRING: when patience ends */
    enum watch_stage stage;
    bool worn; /* to be replaced */
};

struct supervisor_place {
    usec_t due;            /* nobody is raised for it before */
    unsigned early_deaths; /* in a row */
    unsigned restarts;
};

#define SUPERVISOR_PLACES 256

struct supervisor_rules {
    usec_t respawn_min;
    usec_t respawn_max;
    usec_t start_timeout; /* a child that is not ready by then is killed */
    usec_t hang_timeout;
};

enum supervisor_mode {
    SUPERVISOR_RAISING,
    SUPERVISOR_PAUSED,   /* every child retires, nobody follows, until the next turn */
    SUPERVISOR_STOPPING, /* for good */
};

struct supervisor {
    struct supervisor_rules rules;
    struct supervisor_slot *slots;
    size_t nslots;
    struct supervisor_place places[SUPERVISOR_PLACES];
    size_t nplaces;
    unsigned generation; /* the wanted one */
    enum supervisor_mode mode;
    unsigned failures; /* early deaths in this generation since the last turn */
    usec_t watched;    /* when the hearts were looked at last */
};

/* Whom to raise. */
struct supervisor_birth {
    size_t slot;
    size_t place;
};

/* What became of a reaped child. */
struct supervisor_death {
    size_t slot;
    size_t place;
    enum child_state was;
    bool expected; /* it was retiring, or the server stops */
    unsigned restarts;
    usec_t delay; /* until the next one; 0: at once */
};

/* -1: no memory.  Nothing is wanted yet. */
int supervisor_init(struct supervisor *s, size_t nslots,
                    const struct supervisor_rules *rules) MUST_CHECK;
void supervisor_fini(struct supervisor *s);

/* From now on 'nplaces' children of 'generation' are wanted; every place is due. */
void supervisor_turn(struct supervisor *s, unsigned generation, size_t nplaces,
                     usec_t now);

/* So many places, of the same generation; at least one. */
void supervisor_resize(struct supervisor *s, size_t nplaces, usec_t now);

/* Every child retires, or (stop) is expected to end; nobody is raised any more. */
void supervisor_pause(struct supervisor *s);
void supervisor_stop(struct supervisor *s);

/* Whoever is ready now counts as of the wanted generation. */
void supervisor_content(struct supervisor *s);

/* --- whom to raise, whom to let go --------------------------------------------------- */

/* A child to raise now; false: none. */
bool supervisor_next_birth(const struct supervisor *s, usec_t now,
                           struct supervisor_birth *out) MUST_CHECK;

void supervisor_spawned(struct supervisor *s, const struct supervisor_birth *birth,
                        pid_t pid, usec_t now);

/* It could not be forked: tries again later, by the same rule. */
void supervisor_not_spawned(struct supervisor *s, const struct supervisor_birth *birth,
                            usec_t now, double chance);

/* The child in 'slot' serves. */
void supervisor_ready(struct supervisor *s, size_t slot, usec_t now);

/* The child in 'slot' is to be replaced. */
void supervisor_wear(struct supervisor *s, size_t slot);

/* Ready, of the wanted generation and not worn? */
bool supervisor_is_current(const struct supervisor *s, size_t slot);

/* A child that is to retire now; -1: none. */
long supervisor_next_retiree(const struct supervisor *s);

void supervisor_retired(struct supervisor *s, size_t slot, usec_t now, usec_t until);

/* A retiring child whose patience has ended; it gets 'grace' more before the next time.
 * -1: none. */
long supervisor_next_overdue(struct supervisor *s, usec_t now, usec_t grace);

/* Has every place a current child, and nobody is to retire? */
bool supervisor_settled(const struct supervisor *s);

/* A child was reaped; 'chance' is in [0, 1).  false: not one of ours. */
bool supervisor_reaped(struct supervisor *s, pid_t pid, usec_t now, double chance,
                       struct supervisor_death *out) MUST_CHECK;

/* A child that took too long to get ready; -1: none. */
long supervisor_next_late(const struct supervisor *s, usec_t now);

/* --- hearts --------------------------------------------------------------------------- */

/* How often hearts are looked at. */
#define SUPERVISOR_WATCH_EVERY (500 * USEC_PER_MSEC)

/* Time to look at the hearts?  When we ourselves come much too late (stopped, or the
 * machine was), the others may have been stopped with us: they get this round free. */
bool supervisor_watch_due(struct supervisor *s, usec_t now);

/* Looks at one heart that beat last at 'beat'.  Returns the stage that is to be acted on
 * now, WATCH_FINE when there is nothing to do. */
enum watch_stage supervisor_watch(struct supervisor *s, size_t slot, usec_t beat,
                                  usec_t now);

/* --- what there is ---------------------------------------------------------------------- */

/* When to look again at the latest; 0: nothing is planned. */
usec_t supervisor_wakeup(const struct supervisor *s);

/* How many children are in this state. */
size_t supervisor_count(const struct supervisor *s, enum child_state state);

/* Does no child live? */
bool supervisor_empty(const struct supervisor *s);

#endif
