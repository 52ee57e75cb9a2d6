/*
 * heap.c - which of many moments comes first.
 */
#include "common/heap.h"

#include <stdlib.h>

void
heap_init(struct heap *h)
{
    h->nodes = NULL;
    h->count = h->cap = 0;
}

void
heap_fini(struct heap *h)
{
    free(h->nodes);
    heap_init(h);
}

static void
heap_set(struct heap *h, size_t i, struct heap_node *node)
{
    h->nodes[i] = node;
    node->index = i;
}

static void
heap_sift_up(struct heap *h, size_t i, struct heap_node *node)
{
    while (i > 1 && h->nodes[i / 2]->at > node->at) {
        heap_set(h, i, h->nodes[i / 2]);
        i /= 2;
    }
    heap_set(h, i, node);
}

static void
heap_sift_down(struct heap *h, size_t i, struct heap_node *node)
{
    size_t child;

    while ((child = i * 2) <= h->count) {
        if (child < h->count && h->nodes[child + 1]->at < h->nodes[child]->at)
            child++;
        if (h->nodes[child]->at >= node->at)
            break;
        heap_set(h, i, h->nodes[child]);
        i = child;
    }
    heap_set(h, i, node);
}

int
heap_push(struct heap *h, struct heap_node *node, usec_t at)
{
    size_t cap = h->cap == 0 ? 64 : h->cap * 2;
    struct heap_node **nodes;

    if (h->count + 1 >= h->cap) {
        if ((nodes = realloc(h->nodes, cap * sizeof(struct heap_node *))) == NULL)
            return -1;
        h->nodes = nodes;
        h->cap = cap;
    }
    node->at = at;
    heap_sift_up(h, ++h->count, node);
    return 0;
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
    struct heap_node *last;
    size_t i = node->index;

    if (i == 0)
        return;
    node->index = 0;
    last = h->nodes[h->count--];
    if (last == node)
        return;
    if (i > 1 && h->nodes[i / 2]->at > last->at)
        heap_sift_up(h, i, last);
    else
        heap_sift_down(h, i, last);
}

struct heap_node *
heap_first(const struct heap *h)
{
    return h->count == 0 ? NULL : h->nodes[1];
}
