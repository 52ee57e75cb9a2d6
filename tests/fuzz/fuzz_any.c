/*
 * fuzz_any.c - any bytes as a new connection meets them: the first decide the dialect.
 */
#include "tests/fuzz/fuzz_driver.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conversation(data, size, protocol_detect);
}
