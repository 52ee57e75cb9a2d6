/*
 * fuzz_memcached.c - any bytes as lines; the corpus speaks memcached's verbs, with their
 * data blocks.
 */
#include "tests/fuzz/fuzz_driver.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conversation(data, size, fuzz_lines);
}
