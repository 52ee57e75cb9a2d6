/*
 * accept.h - new connections, shared fairly between workers.
 *
 * Owns: this worker's side of the listening sockets: the gate that leaves a connection
 * to a less busy worker, the polite refusal, and what happens when descriptors run out.
 */
#ifndef SERVER_WORKER_ACCEPT_H
#define SERVER_WORKER_ACCEPT_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acceptor;
struct worker;

/* Begins to accept.  NULL: no memory. */
struct acceptor *acceptor_new(struct worker *w) MUST_CHECK;

/* Accepts everybody who waits: the last to close a listening socket resets whoever is in
 * its queue. */
void acceptor_take_all(struct acceptor *a);

/* Stops accepting; the listening sockets stay open, other workers use them. */
void acceptor_free(struct acceptor **acceptor);

struct config;

/* How many clients the descriptors of one worker (RLIMIT_NOFILE) allow, besides those that
 * its HTTP sources may need. */
uint64_t accept_max_clients(const struct config *config);

/* How many clients the whole server takes: limits.connections, or what the descriptors of
 * all workers allow. */
size_t accept_max_connections(const struct config *config);

/* The gate, as a pure judgement: may a worker with 'mine' connections take one more when
 * the least busy living worker has 'least'? */
bool accept_gate_open(uint64_t mine, uint64_t least);

#endif
