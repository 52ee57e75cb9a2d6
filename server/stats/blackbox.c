/*
 * blackbox.c - what a worker was doing, for whoever finds it dead.
 */
#include "server/stats/blackbox.h"

#include <string.h>

void
blackbox_note(struct blackbox *b, const char *verb, struct span key, usec_t now)
{
    char *to = b->request, *end = b->request + sizeof(b->request) - 1;

    while (*verb != '\0' && to < end)
        *to++ = *verb++;
    if (key.n > 0 && to < end)
        *to++ = ' ';
    if (key.n > (size_t)(end - to))
        key.n = (size_t)(end - to);
    if (key.n > 0)
        memcpy(to, key.p, key.n);
    to[key.n] = '\0';
    b->since = now;
}

void
blackbox_panic(struct blackbox *b, const char *text)
{
    size_t i;

    for (i = 0; i < sizeof(b->panic) - 1 && text[i] != '\0'; i++)
        b->panic[i] = text[i];
    b->panic[i] = '\0';
}

struct span
blackbox_text(const char *field, size_t size)
{
    return span_of(field, strnlen(field, size));
}
