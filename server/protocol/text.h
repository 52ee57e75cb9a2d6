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

/* The words of a line of many: 64 bytes are looked at in one go, then each word costs two
 * bits.  Byte for byte a line of 5,000 ids took 50 us, in which nobody else is served. */
#define TEXT_BLOCK 64

struct text_words {
    struct span line;
    size_t next;    /* of the line, the first byte not looked at */
    size_t block;   /* where the present block begins */
    size_t from;    /* where the present word does */
    uint64_t edges; /* where words begin and end, from 'block' on */
    uint64_t odd;   /* not 0: a block so far holds a byte that no key and no tag may */
    bool in_word;
};

static inline struct text_words
text_words_of(struct span line)
{
    return (struct text_words){ .line = line };
}

/* Looks at the next block; false: there is none. */
bool text_words_more(struct text_words *t) MUST_CHECK;

/* false: that was the last one. */
static inline bool
text_words_next(struct text_words *t, struct span *word)
{
    size_t at;

    for (;;) {
        while (t->edges == 0) {
            if (!text_words_more(t))
                return false;
        }
        at = t->block + (size_t)__builtin_ctzll(t->edges);
        t->edges &= t->edges - 1;
        t->in_word = !t->in_word;
        if (!t->in_word)
            break;
        t->from = at;
    }
    *word = span_of(t->line.p + t->from, at - t->from);
    return true;
}

/* A byte that no key and no tag may hold? */
bool text_has_control(struct span s);

/* A data block is being swallowed (session.swallow > 0): goes on with it. */
enum parse_verdict memcached_block(struct parser *p, struct session *s, struct span input,
                                   size_t *consumed, struct command *out);

/* What follows "stats": workers, or one of memcached's subjects. */
void memcached_arguments_stats(struct parser *p, struct session *s, struct span rest,
                               struct command *out);

#endif
