/*
 * scoreboard.h - what every child says of itself, in memory all of them share.
 *
 * Owns: one mapping, made by the master before the first fork and kept over reload and
 * upgrade: a slot per child and the totals of children that are gone.  No locks and no pointers in it; each slot has
 * one writer, its child; the totals have one, the master.
 * The master only compares, sums and prints what it reads here: a pid, an index or a
 * length is never taken from it (CVE-2007-3304, CVE-2012-0031).
 */
#ifndef SERVER_STATS_SCOREBOARD_H
#define SERVER_STATS_SCOREBOARD_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "server/stats/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a worker says it is doing; for people and for the accept gate. */
enum slot_state {
    SLOT_EMPTY,
    SLOT_STARTING,
    SLOT_READY,
    SLOT_DRAINING,
    SLOT_NSTATES,
};

struct blackbox;
struct scoreboard;
struct scoreboard_slot;

/* Slots of a server: an old and a new generation of 256 workers each, and one more. */
#define SCOREBOARD_CAPACITY ((size_t)2 * 256 + 1)

/* A board with room for 'capacity' slots, none in use, shared with every later child.
 * NULL with errno: no memory. */
struct scoreboard *scoreboard_new(size_t capacity) MUST_CHECK;

/* Maps the board behind the descriptor, which another program may have made.  NULL with
 * errno, and the descriptor is still the caller's: EINVAL when it is none of ours or
 * counts other things. */
struct scoreboard *scoreboard_adopt(int fd, size_t capacity) MUST_CHECK;
void scoreboard_free(struct scoreboard **board);

/* The memory behind it, close-on-exec; the board's own. */
int scoreboard_fd(const struct scoreboard *board);

/* How many slots to look at: those that were ever used, never more than the capacity. */
size_t scoreboard_size(const struct scoreboard *board);

/* Any slot below the capacity, and the black box of who lives there. */
struct scoreboard_slot *scoreboard_slot(struct scoreboard *board, size_t slot);
struct blackbox *scoreboard_box(struct scoreboard *board, size_t slot);

/* --- master only --- */

/* Before a child is born into 'slot': from now on readers look at it. */
void scoreboard_use(struct scoreboard *board, size_t slot);

/* Adds a dead child's counters to the totals and empties its slot. */
void scoreboard_fold(struct scoreboard *board, size_t slot);

/* Counts one more death, for "worker_deaths". */
void scoreboard_count_death(struct scoreboard *board);

/* The fullest queue of connections that wait to be accepted, and its room. */
void scoreboard_set_queue(struct scoreboard *board, uint32_t waiting, uint32_t room);

/* --- the slot's own child only --- */

void slot_claim(struct scoreboard_slot *slot, int pid, usec_t now);
void slot_set_state(struct scoreboard_slot *slot, enum slot_state state);
void slot_beat(struct scoreboard_slot *slot, usec_t now);

/* Where this child counts; valid as long as the board. */
struct metrics *slot_metrics(struct scoreboard_slot *slot);

/* --- anyone --- */

enum slot_state slot_state(const struct scoreboard_slot *slot);
usec_t slot_heartbeat(const struct scoreboard_slot *slot);
uint64_t slot_connections(const struct scoreboard_slot *slot);

/* Has the heart of any child that serves beaten within the last 'within'? */
bool scoreboard_alive(const struct scoreboard *board, usec_t now, usec_t within);

/* Sum over every slot and the dead; consistent against a fold in between. */
void scoreboard_sum(const struct scoreboard *board, uint64_t out[METRIC_COUNT]);

/* "STAT name value" lines without the closing END, memcached's format. */
void scoreboard_print_stats(const struct scoreboard *board, usec_t now, struct buf *out);

/* "WORKER slot pid=... " lines without the closing END. */
void scoreboard_print_workers(const struct scoreboard *board, usec_t now,
                              struct buf *out);

#endif
