/*
 * cache_fixture.h - processes around one cache, and items that prove themselves.
 *
 * An item is computed from its id and the time it was asked for at, so that whoever reads
 * it can tell whether every byte is right without having it.
 */
#ifndef TESTS_UNIT_CACHE_FIXTURE_H
#define TESTS_UNIT_CACHE_FIXTURE_H

#include "server/cache/layout.h"
#include "server/cache/lease.h"

#include <stdbool.h>
#include <sys/types.h>

#define FIXTURE_SOURCE 77

/* The next of a sequence that is the same each time; *x: not 0. */
unsigned fixture_random(uint64_t *x);

/* What several processes count in; anonymous shared memory. */
void *fixture_shared(size_t bytes);

/* A second view of 'master's region, as a process of its own would have it. */
struct cache *fixture_view(struct cache *master, size_t bytes, size_t capacity,
                           size_t slot);

struct cache_key fixture_key(const struct cache *c, unsigned id, char text[16]);

/* Puts the item of (id, asked_at): up to 'most' bytes long. */
enum cache_put fixture_put(struct cache *c, unsigned id, usec_t asked_at, size_t most);

/* Gets it; false: something was found that no fixture_put has put. */
bool fixture_get(struct cache *c, unsigned id, size_t most, enum cache_verdict *verdict,
                 usec_t *asked_at);

/* Forks; the child joins as 'slot', runs and exits with its result. */
pid_t fixture_fork(struct cache *c, size_t slot, int (*run)(struct cache *, void *),
                   void *arg);

/* The child's exit code; -1: a signal ended it. */
int fixture_wait(pid_t pid);

#endif
