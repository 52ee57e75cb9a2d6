/*
 * protocol.c - choosing a dialect, and the parser's room for keys.
 */
#include "server/protocol/protocol.h"

#include <stdlib.h>

#define KEYS_MIN 128

void
parser_init(struct parser *p, const struct protocol_limits *limits)
{
    p->limits = *limits;
    p->keys = NULL;
    p->cap = 0;
}

void
parser_fini(struct parser *p)
{
    free(p->keys);
    p->keys = NULL;
    p->cap = 0;
}

bool
parser_add_key(struct parser *p, size_t n, struct span key)
{
    size_t cap = p->cap == 0 ? KEYS_MIN : p->cap * 2;
    struct span *keys;

    if (n >= p->limits.ids_max)
        return false;
    if (n >= p->cap) {
        if ((keys = realloc(p->keys, cap * sizeof(*keys))) == NULL)
            return false;
        p->keys = keys;
        p->cap = cap;
    }
    p->keys[n] = key;
    return true;
}

const struct protocol *
protocol_detect(struct span input)
{
    (void)input;
    return &protocol_native;
}
