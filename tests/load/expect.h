/*
 * expect.h - what each item of the load table must look like.
 *
 * Owns: for every row the length of its item and a digest of its bytes, 8 bytes a row.
 * The generator shares a core with what it measures: reading an item once to digest it
 * costs a tenth of composing it again to compare, and no second copy of the table
 * pushes the server's out of the processor's caches.
 * A wrong item passes for a right one once in 2^48.
 */
#ifndef TESTS_LOAD_EXPECT_H
#define TESTS_LOAD_EXPECT_H

#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct expect;

/* Composes 'rows' items once.  Needs row_init.  NULL: no memory. */
struct expect *expect_new(uint32_t rows) MUST_CHECK;
void expect_free(struct expect **expect);

/* 'id' will be asked about soon: its entry is fetched into the processor's cache.  Without
 * this, waiting for memory is half of what the generator does. */
void expect_prefetch(const struct expect *expect, uint32_t id);

/* Is there an item 'id'? */
bool expect_exists(const struct expect *expect, uint32_t id);

/* Its length; the item must exist. */
size_t expect_length(const struct expect *expect, uint32_t id);

/* Are these its bytes, every one of them?  'item' has the right length. */
bool expect_equal(const struct expect *expect, uint32_t id, const char *item);

#endif
