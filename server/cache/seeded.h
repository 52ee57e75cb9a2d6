/*
 * seeded.h - mistakes made on purpose, for the test of what should notice them.
 *
 * Owns: the names of the mistakes, each at the one comparison that it leaves out.
 * Promise: without -DFETCHD_SEEDED_BUGS (`make seeded`) nothing of it is compiled.  With
 * it the environment's FETCHD_SEEDED_BUG picks one; none: no mistake is made.
 */
#ifndef SERVER_CACHE_SEEDED_H
#define SERVER_CACHE_SEEDED_H

#ifdef FETCHD_SEEDED_BUGS

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Is this the mistake to make? */
static inline bool
seeded_bug(const char *name)
{
    const char *picked = getenv("FETCHD_SEEDED_BUG");

    return picked != NULL && strcmp(picked, name) == 0;
}

#define SEEDED(name) seeded_bug(#name)
#else
#define SEEDED(name) 0
#endif

#endif
