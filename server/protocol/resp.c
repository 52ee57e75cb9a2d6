/*
 * resp.c - RESP, the way in.
 */
#include "server/protocol/text.h"

static enum parse_verdict
resp_parse(struct parser *p, struct session *s, struct span input, size_t *consumed,
           struct command *out)
{
    s->resp = false;
    return protocol_text.parse(p, s, input, consumed, out);
}

const struct protocol protocol_resp = {
    .name = "resp",
    .parse = resp_parse,
};
