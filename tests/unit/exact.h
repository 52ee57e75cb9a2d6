/*
 * exact.h - bytes in a block that ends where they end, so that AddressSanitizer sees a
 * reader that goes further.
 */
#ifndef TESTS_UNIT_EXACT_H
#define TESTS_UNIT_EXACT_H

#include "common/span.h"

/* A copy for the test to read; give it back with exact_free. */
struct span exact_copy(struct span s);

void exact_free(struct span copy);

/* The same bytes? */
void assert_span(struct span got, struct span expected);

#endif
