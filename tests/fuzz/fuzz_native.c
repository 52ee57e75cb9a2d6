/*
 * fuzz_native.c - any bytes as lines; the corpus speaks fetchd's own verbs.
 */
#include "tests/fuzz/fuzz_driver.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conversation(data, size, fuzz_lines);
}
