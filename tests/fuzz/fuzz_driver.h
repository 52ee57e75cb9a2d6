/*
 * fuzz_driver.h - a conversation of any bytes, whole and in pieces.
 *
 * Owns: everything about fuzzing a dialect but the dialect.  A target is one file,
 * tests/fuzz/fuzz_<name>.c, with its corpus in tests/fuzz/corpus/<name>/:
 *
 *     int
 *     LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *         return fuzz_conversation(data, size, choose);
 *     }
 */
#ifndef TESTS_FUZZ_FUZZ_DRIVER_H
#define TESTS_FUZZ_FUZZ_DRIVER_H

#include "server/protocol/protocol.h"

#include <stddef.h>
#include <stdint.h>

/* The dialect of the next request, as protocol_detect says it. */
typedef const struct protocol *fuzz_choose(struct session *s, struct span input);

/* A fuzz_choose: lines, whatever they begin with.  Native and memcached verbs stand in one
 * table and may be mixed on a connection. */
fuzz_choose fuzz_lines;

/* What libFuzzer calls, and what it calls on: 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first FUZZ_CUTS bytes of 'data' say where to split the rest ("1530": pieces of 1, 5
 * and 3 bytes, then a large one); the rest is what a client sends.  Aborts unless the
 * requests are the same for every split and no byte is taken twice or from behind the
 * end.  Returns 0. */
int fuzz_conversation(const uint8_t *data, size_t size, fuzz_choose *choose);

#define FUZZ_CUTS 4

#endif
