/*
 * memcached.h - the memcached dialect's rooms, to each other.
 *
 *     memcached.c        verbs and their words         memcached_answer.c   items, lines
 *     memcached_meta.c   mg me ms md ma, their flags   memcached_block.c    data blocks
 *     memcached_stats.c  stats and its subjects
 *
 * Measure of all of it is memcached 1.6.18, byte for byte: the texts, and which of two
 * mistakes is told first.
 */
#ifndef SERVER_PROTOCOL_MEMCACHED_H
#define SERVER_PROTOCOL_MEMCACHED_H

#include "server/protocol/text.h"

#include <stdint.h>

/* Becomes command.verb. */
enum memcached_verb {
    MEMCACHED_NONE, /* of session.held_verb: the block is dropped without a word */
    MEMCACHED_GET,
    MEMCACHED_GETS,
    MEMCACHED_GAT,
    MEMCACHED_GATS,
    MEMCACHED_SET,
    MEMCACHED_ADD,
    MEMCACHED_REPLACE,
    MEMCACHED_APPEND,
    MEMCACHED_PREPEND,
    MEMCACHED_CAS,
    MEMCACHED_TOUCH,
    MEMCACHED_INCR,
    MEMCACHED_DECR,
    MEMCACHED_DELETE,
    MEMCACHED_FLUSH_ALL,
    MEMCACHED_VERBOSITY,
    MEMCACHED_MG,
    MEMCACHED_ME,
    MEMCACHED_MN,
    MEMCACHED_MS,
    MEMCACHED_MD,
    MEMCACHED_MA,
    MEMCACHED_NVERBS,
};

/* In command.flags. */
#define MEMCACHED_QUIET 1u /* noreply; of mg: q, no word about a miss */
#define MEMCACHED_VALUE 2u /* v */
#define MEMCACHED_MATCH 4u /* C: the client knows a cas */

#define MEMCACHED_BAD_FORMAT "CLIENT_ERROR bad command line format"

/* Words behind a verb that are looked at; get has no bound but limits.ids. */
#define MEMCACHED_WORDS_MAX 20

/* A line that is being read. */
struct memcached_line {
    struct parser *parser;
    struct session *session;
    struct command *out;
    struct span rest; /* what follows the verb */
    struct span words[MEMCACHED_WORDS_MAX];
    size_t n; /* of words, counted no further than their room */
};

/* A number as memcached reads it: a sign (unsigned: not a minus), then digits alone. */
bool memcached_read_signed(struct span word, int64_t *out) MUST_CHECK;
bool memcached_read_unsigned(struct span word, uint64_t *out) MUST_CHECK;

/* The request is wrong and 'text' (static) says so. */
void memcached_refuse(struct memcached_line *l, const char *text);

/* The answer is this one line, whatever the sources say. */
void memcached_say(struct memcached_line *l, const char *text);

/* Looks 'key' up before it answers; false: refused, there was no memory. */
bool memcached_look_up(struct memcached_line *l, struct span key) MUST_CHECK;

/* 'key' is to be forgotten; false: refused, there was no memory. */
bool memcached_forget(struct memcached_line *l, struct span key) MUST_CHECK;

/* Bytes of a data block of 'length' bytes follow.  When they have come, goes on with the
 * verb: 'key' (may lie in session.held) and the 'n' words will be there again. */
void memcached_hold(struct memcached_line *l, size_t length, struct span key,
                    const struct span *words, size_t n);

/* The same, but nothing will be said: the request was refused. */
void memcached_drop(struct memcached_line *l, size_t length);

/* Reads the words of the meta commands; see memcached.c. */
void memcached_read_mg(struct memcached_line *l);
void memcached_read_me(struct memcached_line *l);
void memcached_read_ms(struct memcached_line *l);
void memcached_read_md(struct memcached_line *l);
void memcached_read_ma(struct memcached_line *l);

/* get gets gat gats */
command_answer memcached_answer_values;
/* One line that was known from the start: command.error_text. */
command_answer memcached_answer_line;
/* cas touch incr decr: one word if the item exists, another if not. */
command_answer memcached_answer_exists;
/* delete, flush_all: what was forgotten. */
command_answer memcached_answer_forgotten;
/* mg */
command_answer memcached_answer_meta_get;
/* me */
command_answer memcached_answer_meta_debug;
/* ms ma */
command_answer memcached_answer_meta_status;
/* md */
command_answer memcached_answer_meta_delete;

#endif
