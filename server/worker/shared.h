/*
 * shared.h - this worker's part in the cache that all workers share.
 *
 * Owns: belonging to it, the policy of each source, and being woken when an item that
 * another worker fetches is there (or that worker is not).
 */
#ifndef SERVER_WORKER_SHARED_H
#define SERVER_WORKER_SHARED_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>

struct worker;

/* After sources_open; false: no memory. */
bool shared_open(struct worker *w) MUST_CHECK;
void shared_close(struct worker *w);

/* Goes on with what waits for other workers. */
void shared_wake(struct worker *w, usec_t now);

/* When shared_wake is due even if nobody wakes; 0: never. */
usec_t shared_recheck_at(const struct worker *w);

/* Each turn: those who wait for what is fetched here see that it is alive. */
void shared_beat(struct worker *w, usec_t now);

/* When the next turn is due for that reason; 0: nobody could wait. */
usec_t shared_beat_at(const struct worker *w);

#endif
