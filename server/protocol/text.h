/*
 * text.h - verbs on lines: what the native and the memcached dialect share.
 *
 * Owns: the shape of a verb.  Both dialects put theirs into one table without a common
 * name, so a connection may mix them.
 */
#ifndef SERVER_PROTOCOL_TEXT_H
#define SERVER_PROTOCOL_TEXT_H

#include "server/protocol/protocol.h"

struct verb {
    const char *name;
    enum command_kind kind;
    unsigned number; /* the dialect's own; becomes command.verb */
    /* Reads what follows the verb; may turn the command into an error. */
    void (*arguments)(struct parser *p, struct session *s, struct span rest,
                      struct command *out);
    command_answer *answer;
    const char *help; /* NULL: not shown by help */
};

/* A dialect's verbs. */
struct verb_table {
    const struct verb *verbs;
    size_t n;
};

extern const struct verb_table native_verbs;
extern const struct verb_table memcached_verbs;

/* Takes the next word off the front of 'rest'; false: there is none. */
bool text_next_word(struct span *rest, struct span *word) MUST_CHECK;

/* The same; '*plain': no byte of it is one that no key may hold. */
bool text_next_key(struct span *rest, struct span *word, bool *plain) MUST_CHECK;

/* A byte that no key and no tag may hold? */
bool text_has_control(struct span s);

/* A data block is being swallowed (session.swallow > 0): goes on with it. */
enum parse_verdict memcached_block(struct parser *p, struct session *s, struct span input,
                                   size_t *consumed, struct command *out);

/* What follows "stats": workers, or one of memcached's subjects. */
void memcached_arguments_stats(struct parser *p, struct session *s, struct span rest,
                               struct command *out);

#endif
