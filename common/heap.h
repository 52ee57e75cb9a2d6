/*
 * heap.h - which of many moments comes first.
 *
 * Owns: an array of pointers to nodes inside the caller's structs.  A node knows its
 * place, so removing one from the middle costs O(log n).
 */
#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>

struct heap_node {
    usec_t at;
    size_t index; /* 0: not in a heap */
};

struct heap {
    struct heap_node **nodes; /* nodes[1..count] */
    size_t count;
    size_t cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);

/* -1: no memory; the node is not in the heap. */
int heap_push(struct heap *h, struct heap_node *node, usec_t at) MUST_CHECK;

/* Takes a node out; nothing happens when it is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The earliest node; NULL when empty. */
struct heap_node *heap_first(const struct heap *h);

#endif
