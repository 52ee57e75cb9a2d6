/*
 * memcached.c - the memcached text dialect, the way in.
 */
#include "server/protocol/text.h"

static const struct verb verbs[] = {
    { "mn", COMMAND_LOCAL, 0, NULL, NULL, NULL },
};

const struct verb_table memcached_verbs = { verbs, 0 };

enum parse_verdict
memcached_block(struct session *s, struct span input, size_t *consumed,
                struct command *out)
{
    (void)out;
    *consumed = input.n < s->swallow ? input.n : s->swallow;
    s->swallow -= *consumed;
    return PARSE_NOTHING;
}
