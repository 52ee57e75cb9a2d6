/*
 * map.h - an intrusive hash table.
 *
 * Owns: the bucket array.  Nodes live inside the caller's structs; the caller
 * hashes and compares keys, so one table serves any key:
 *
 *     for (n = map_first(m, h); n != NULL; n = map_next(n, h))
 *         if (it is the one) ...
 */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include "common/compiler.h"

#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t nbuckets; /* 0 or a power of two */
    size_t count;
};

void map_init(struct map *m);

/* Frees the buckets; the nodes are the caller's. */
void map_fini(struct map *m);

/* Adds a node; duplicates are the caller's affair.  When the table cannot grow it
 * gets slower, not wrong.  -1: not even the first bucket could be had. */
int map_insert(struct map *m, struct map_node *node, uint64_t hash) MUST_CHECK;

/* Removes a node that is in the table. */
void map_remove(struct map *m, struct map_node *node);

/* The first node with this hash; NULL: none. */
struct map_node *map_first(const struct map *m, uint64_t hash);

/* The next one with the same hash. */
struct map_node *map_next(const struct map_node *node, uint64_t hash);

#endif
