/*
 * map.c - an intrusive hash table.
 *
 * Chains, because nodes are removed all the time and a chain needs no tombstones.
 * Doubles when there are more nodes than buckets; never shrinks: the next burst is
 * as large as the last.
 */
#include "common/map.h"

#include <assert.h>
#include <stdlib.h>

#define MAP_MIN 64

void
map_init(struct map *m)
{
    m->buckets = NULL;
    m->nbuckets = m->count = 0;
}

void
map_fini(struct map *m)
{
    free(m->buckets);
    map_init(m);
}

static struct map_node **
map_bucket(const struct map *m, uint64_t hash)
{
    return &m->buckets[hash & (m->nbuckets - 1)];
}

static int
map_grow(struct map *m)
{
    struct map bigger = { NULL, m->nbuckets == 0 ? MAP_MIN : m->nbuckets * 2, m->count };
    struct map_node *node, *next, **at;
    size_t i;

    bigger.buckets = calloc(bigger.nbuckets, sizeof(struct map_node *));
    if (bigger.buckets == NULL)
        return -1;
    for (i = 0; i < m->nbuckets; i++) {
        for (node = m->buckets[i]; node != NULL; node = next) {
            next = node->next;
            at = map_bucket(&bigger, node->hash);
            node->next = *at;
            *at = node;
        }
    }
    free(m->buckets);
    *m = bigger;
    return 0;
}

int
map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
    struct map_node **at;

    if (m->count >= m->nbuckets && map_grow(m) == -1 && m->nbuckets == 0)
        return -1;
    at = map_bucket(m, hash);
    node->hash = hash;
    node->next = *at;
    *at = node;
    m->count++;
    return 0;
}

void
map_remove(struct map *m, struct map_node *node)
{
    struct map_node **at = map_bucket(m, node->hash);

    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    m->count--;
}

struct map_node *
map_first(const struct map *m, uint64_t hash)
{
    struct map_node *node;

    if (m->nbuckets == 0)
        return NULL;
    for (node = *map_bucket(m, hash); node != NULL && node->hash != hash;)
        node = node->next;
    return node;
}

struct map_node *
map_next(const struct map_node *node, uint64_t hash)
{
    struct map_node *n = node->next;

    while (n != NULL && n->hash != hash)
        n = n->next;
    return n;
}
