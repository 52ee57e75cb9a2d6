/*
 * fuzz_resp.c - any bytes as RESP: arrays, and inline commands of any letters.
 */
#include "tests/fuzz/fuzz_driver.h"

static const struct protocol *
resp(struct session *s, struct span input)
{
    (void)input;
    s->resp = true; /* latched, as after the first such request */
    return &protocol_resp;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_conversation(data, size, resp);
}
