/*
 * list.h - an intrusive, circular, doubly linked list.
 *
 * Owns nothing: nodes live inside the caller's structs.  A node that is on no list
 * points at itself, so list_remove and list_linked are safe at any time after
 * list_init.
 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include "common/compiler.h"

#include <stdbool.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* clang-format off */
#define LIST_INIT(l) { &(l), &(l) }
/* clang-format on */

static inline void
list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
    return l->next == l;
}

/* Is this node on a list?  (The same question as list_empty, asked of a node.) */
static inline bool
list_linked(const struct list *node)
{
    return node->next != node;
}

static inline void
list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void
list_append(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void
list_prepend(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

static inline void
list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Removes and returns the first node; NULL when there is none. */
static inline struct list *
list_pop(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves every node of 'from' to the end of 'to'; 'from' is empty afterwards. */
static inline void
list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* Visits every node; the body may remove the node it is given, no other. */
#define LIST_EACH_SAFE(node, after, head)                                 \
    for ((node) = (head)->next, (after) = (node)->next; (node) != (head); \
         (node) = (after), (after) = (node)->next)

#endif
