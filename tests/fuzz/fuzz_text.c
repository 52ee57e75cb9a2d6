/*
 * fuzz_text.c - any bytes as the verbs on lines of the native and memcached dialects.
 */
#include "tests/fuzz/fuzz_driver.h"

static const struct protocol *
text(struct session *s, struct span input)
{
    (void)s;
    (void)input;
    return &protocol_text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conversation(data, size, text);
}
