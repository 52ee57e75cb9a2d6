/*
 * ids.h - which items to ask for next.
 *
 * Owns: a small fast random generator (splitmix64) and the set that keeps the ids of
 * one request distinct.  The same seed draws the same ids in every run.
 */
#ifndef TESTS_LOAD_IDS_H
#define TESTS_LOAD_IDS_H

#include "common/compiler.h"

#include <stddef.h>
#include <stdint.h>

struct ids;

/* Draws uniformly from 1..range, at most 'max' ids at a time, max <= range.
 * NULL: no memory. */
struct ids *ids_new(uint64_t seed, uint32_t range, size_t max) MUST_CHECK;
void ids_free(struct ids **ids);

/* Writes 'n' distinct ids to 'out'; n <= max. */
void ids_draw(struct ids *ids, uint32_t *out, size_t n);

#endif
