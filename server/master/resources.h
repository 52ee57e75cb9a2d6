/*
 * resources.h - what a worker may use of the machine.
 *
 * Owns: its processor, when each is to have its own, and whether its death leaves a core.
 * A refusal (a sandbox that forbids sched_setaffinity, say) is worth a warning, not the
 * worker.
 */
#ifndef SERVER_MASTER_RESOURCES_H
#define SERVER_MASTER_RESOURCES_H

#include "common/compiler.h"

#include <stddef.h>

struct config;

/* Which of the 'n' allowed processors, given as a list, belongs to worker 'place'. */
int resources_cpu(const int *allowed, size_t n, size_t place) MUST_CHECK;

/* In a child, before it gives up its rights. */
void resources_bind(const struct config *config, size_t place);

/* In a child, afterwards: a process that changed its user leaves no core by default. */
void resources_allow_core(const struct config *config);

#endif
