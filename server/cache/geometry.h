/*
 * geometry.h - how a region of so many bytes is divided.
 */
#ifndef SERVER_CACHE_GEOMETRY_H
#define SERVER_CACHE_GEOMETRY_H

#include "server/cache/layout.h"

#define GHOST_GROUP 16 /* half-words, one line */

/* Divides at most 'bytes' (raised to CACHE_BYTES_MIN); the same for the same arguments
 * in every build of the same CACHE_VERSION. */
void geometry_make(struct geometry *g, size_t bytes, size_t capacity);

/* A hash of every size and place, structures included: two builds that disagree in any
 * of them never share a region. */
uint64_t geometry_stamp(const struct geometry *g);

#endif
