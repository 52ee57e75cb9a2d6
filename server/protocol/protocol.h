/*
 * protocol.h - the dialects, behind one table of functions.
 *
 * Owns: what a request is once it is read, and the contract of a dialect: bytes in,
 * commands out; results in, bytes out.
 * Promise: parsing is pure: the same bytes give the same commands, however they were
 * split.  Never knows: sockets, clients, sources.
 */
#ifndef SERVER_PROTOCOL_PROTOCOL_H
#define SERVER_PROTOCOL_PROTOCOL_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/item/result.h"

#include <stdbool.h>
#include <stddef.h>

struct scoreboard;

#define COMMAND_TAG_MAX 16
#define COMMAND_KEY_MAX 250

enum command_kind {
    COMMAND_FETCH,
    COMMAND_PING,
    COMMAND_HELP,
    COMMAND_SOURCES,
    COMMAND_VERSION,
    COMMAND_STATS,
    COMMAND_STATS_WORKERS,
    COMMAND_QUIT,
    COMMAND_ERROR, /* the request is wrong; 'error' says how */
};

/* The code of an ERROR line. */
enum command_error {
    COMMAND_ERROR_UNKNOWN, /* no such verb: a bare ERROR, as memcached says it */
    COMMAND_ERROR_SYNTAX,
    COMMAND_ERROR_OPTION,
    COMMAND_ERROR_TOOMANY,
    COMMAND_ERROR_TOOLONG,
};

/* One request, read.  'keys' borrows from the input and the parser, until the next
 * parse; everything else is its own. */
struct command {
    enum command_kind kind;
    enum command_error error;
    const char *error_text; /* static; may be "" */
    bool close;             /* nothing that follows can be understood */
    unsigned tag_len;       /* 0: untagged, answered in request order */
    char tag[COMMAND_TAG_MAX];
    unsigned deadline_ms; /* 0: the configuration's */
    const struct span *keys;
    size_t nkeys;
};

struct protocol_limits {
    size_t line_max_bytes;
    unsigned ids_max;
};

/* Room for the keys of the command that was parsed last; one for a worker. */
struct parser {
    struct protocol_limits limits;
    struct span *keys;
    size_t cap;
};

void parser_init(struct parser *p, const struct protocol_limits *limits);
void parser_fini(struct parser *p);

/* Adds a key to the command being parsed; false: too many, or no memory. */
bool parser_add_key(struct parser *p, size_t n, struct span key) MUST_CHECK;

enum parse_verdict {
    PARSE_MORE,    /* not a whole request yet */
    PARSE_COMMAND, /* one request in 'out' */
    PARSE_NOTHING, /* bytes consumed that ask for nothing (an empty line) */
    PARSE_CLOSE,   /* another protocol's bytes: hang up without a word */
};

/* What a dialect may need to answer; borrowed. */
struct reply {
    const struct item_result *results; /* COMMAND_FETCH */
    size_t nresults;
    usec_t elapsed;
    const struct scoreboard *board;
    usec_t now;
    /* COMMAND_SOURCES: writes "<name> <kind> <key> ..." for each, by calling back */
    void (*each_source)(void *arg, void (*line)(struct buf *out, struct span text),
                        struct buf *out);
    void *arg;
};

struct protocol {
    const char *name;
    /* Reads one request from the front of 'input'.  '*scanned' remembers, between calls
     * with the same beginning, how much was looked at in vain; it is 0 after anything
     * was consumed.  '*consumed' bytes are done with. */
    enum parse_verdict (*parse)(struct parser *p, struct span input, size_t *scanned,
                                size_t *consumed, struct command *out);
    /* Appends the whole answer to a command. */
    void (*answer)(struct buf *out, const struct command *c, const struct reply *r);
};

/* The dialect of a connection whose first bytes are 'input' (at least one). */
const struct protocol *protocol_detect(struct span input);

extern const struct protocol protocol_native;

/* What a connection over the limit is told before it is closed; the same in every
 * dialect that has words (memcached's own text). */
#define PROTOCOL_REFUSAL "ERROR Too many open connections\r\n"

#endif
