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

struct cache;
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
    COMMAND_INVALIDATE, /* forget the keys */
    COMMAND_FLUSH,      /* forget everything */
    COMMAND_QUIT,
    COMMAND_LOCAL, /* answered by its dialect alone, in its turn; looks nothing up */
    COMMAND_ERROR, /* the request is wrong; 'error' says how */
};

/* The code of an ERROR line. */
enum command_error {
    COMMAND_ERROR_UNKNOWN, /* no such verb: a bare ERROR, as memcached says it */
    COMMAND_ERROR_SYNTAX,
    COMMAND_ERROR_OPTION,
    COMMAND_ERROR_TOOMANY,
    COMMAND_ERROR_TOOLONG,
    COMMAND_ERROR_BUSY,
};

/* How the items of a native answer are laid out. */
enum command_layout {
    LAYOUT_LINES,
    LAYOUT_ARRAY,
    LAYOUT_MAP,
    LAYOUT_COLUMNS,
};

struct command;
struct reply;

/* Appends the whole answer to a command. */
typedef void command_answer(struct buf *out, const struct command *c,
                            const struct reply *r);

/* One request, read.  'keys', 'fields' and 'args' borrow from the input and the parser
 * until the next parse; whoever keeps the command copies them.  Everything else is its
 * own. */
struct command {
    enum command_kind kind;
    enum command_error error;
    const char *error_text; /* static; may be "" */
    bool omits_failures;    /* the answer leaves failed ids out: they are counted */
    command_answer *answer; /* how this verb of this dialect is answered */
    bool close;             /* nothing that follows can be understood */
    unsigned tag_len;       /* 0: untagged, answered in request order */
    char tag[COMMAND_TAG_MAX];
    unsigned deadline_ms; /* 0: the configuration's */
    const struct span *keys;
    size_t nkeys;
    const struct span *fields; /* what to show of each item, in this order; none: all */
    size_t nfields;
    bool fields_must_exist;  /* an unknown field is an ERROR, not a null */
    const struct span *args; /* words the dialect wants to see again when it answers */
    size_t nargs;
    enum command_layout layout;
    bool as_done;       /* each line as soon as it is known, in any order */
    bool trace;         /* say where each item came from */
    bool fresh;         /* never joins a statement that was sent before it came */
    unsigned maxage_ms; /* nothing older; 0: no bound but the policy, unless fresh */
    unsigned verb;      /* the dialect's own number for it */
    unsigned flags;     /* the dialect's own */
};

/* Does the answer show members of items, each by itself?  Then their marks help it. */
static inline bool
command_wants_members(const struct command *c)
{
    return c->nfields > 0 || c->layout == LAYOUT_COLUMNS;
}

struct protocol_limits {
    size_t line_max_bytes;
    unsigned ids_max;
};

/* Makes the command an error, answered in the native dialect's words; 'text' is static. */
void command_refuse(struct command *out, enum command_error error, const char *text);

/* The server has no room for this fetch: makes it an error where its dialect has a word
 * for that; false: it has none, each id must fail by itself. */
bool command_refuse_busy(struct command *out);

/* Room for the words of the command that was parsed last; one for a worker. */
struct words {
    struct span *at;
    size_t n;
    size_t cap;
};

struct parser {
    struct protocol_limits limits;
    struct words keys;
    struct words fields;
    struct words args;
    struct buf text; /* bytes of words that do not stand in the input as they are */
};

void parser_init(struct parser *p, const struct protocol_limits *limits);
void parser_fini(struct parser *p);

/* Forgets the words of the last command; every parse begins with it. */
void parser_begin(struct parser *p);

/* Adds a word; at most 'max' may be there (0: no bound).  false: too many, or no memory. */
static inline bool words_add(struct words *words, size_t max, struct span word)
    MUST_CHECK;

/* Makes room for one more; false: no memory. */
bool words_grow(struct words *words) MUST_CHECK;

static inline bool
words_add(struct words *words, size_t max, struct span word)
{
    if ((max != 0 && words->n >= max) || (words->n == words->cap && !words_grow(words)))
        return false;
    words->at[words->n++] = word;
    return true;
}

/* Points the command at what the parser gathered. */
void parser_finish(const struct parser *p, struct command *out);

#define SESSION_NAME_MAX 64

/* A key, the same key in base64 and the words that an answer repeats. */
#define SESSION_HELD_MAX (2 * COMMAND_KEY_MAX + 64)

/* What a connection's dialect remembers between requests. */
struct session {
    size_t scanned;     /* bytes at the front of the input that hold no end of line */
    bool resp;          /* latched: this connection speaks RESP */
    unsigned resp3;     /* answers are in RESP3 */
    size_t frame_at;    /* a RESP array that is not whole: bytes done with, */
    size_t frame_left;  /* words still to come, */
    size_t frame_bulk;  /* length of the next one plus 1; 0: not read yet */
    uint64_t id;        /* of the connection, unique in this worker */
    size_t swallow;     /* bytes of a data block still to be discarded */
    bool swallow_bad;   /* ... and they did not end as they must */
    unsigned held_verb; /* what to answer when the block is over */
    unsigned held_flags;
    size_t held_key_len; /* the key, at the front of 'held' */
    size_t held_len;     /* with the words behind it */
    char held[SESSION_HELD_MAX];
    char name[SESSION_NAME_MAX]; /* CLIENT SETNAME */
};

enum parse_verdict {
    PARSE_MORE,    /* not a whole request yet */
    PARSE_COMMAND, /* one request in 'out' */
    PARSE_NOTHING, /* bytes consumed that ask for nothing (an empty line) */
    PARSE_CLOSE,   /* another protocol's bytes: hang up without a word */
};

/* Where an item came from, for trace=1. */
struct item_trace {
    const char *source;
    enum item_origin origin;
    unsigned wait_us; /* from the request's arrival to the answer */
    char *missing;    /* a view's parts that are not there, "stock:timeout"; or NULL */
};

/* What a dialect may need to answer; borrowed. */
struct reply {
    const struct item_result *results; /* COMMAND_FETCH */
    size_t nresults;
    size_t partial; /* items that lack a part of a view which failed or was late */
    const struct item_trace *traces; /* one for each result, or NULL */
    /* Results to show now: those from 'first' to before 'last', of all of them (due is
     * NULL) or of those whose line is due (as_done).  A dialect may end at 'full' bytes
     * of 'out' and put into '*next' where it will go on; 0: there is no bound. */
    const uint32_t *due;
    size_t first;
    size_t last;
    size_t full;
    size_t *next;
    void **kept;      /* what it remembers for that: one block, freed with the request */
    size_t forgotten; /* COMMAND_INVALIDATE: keys of which something was cached */
    bool denied;      /* COMMAND_INVALIDATE and _FLUSH: not from this address */
    bool more;        /* lines of this answer follow later: do not close it yet */
    usec_t elapsed;
    struct session *session;
    const struct scoreboard *board;
    const struct cache *cache; /* NULL: none */
    usec_t now;
    size_t max_connections;
    /* COMMAND_SOURCES: writes "<name> <kind> <key> ..." for each, by calling back */
    void (*each_source)(void *arg, void (*line)(struct buf *out, struct span text),
                        struct buf *out);
    void *arg;
};

/* Must the answer end here, number 'i' of 'count' said, because it is long?  'work' is
 * what it cost beside its bytes, in bytes. */
static inline bool
reply_is_full(const struct reply *r, const struct buf *out, size_t i, size_t count,
              size_t work)
{
    if (r->full == 0 || buf_size(out) + work < r->full || i + 1 >= count)
        return false;
    *r->next = i + 1;
    return true;
}

struct protocol {
    const char *name;
    /* Reads one request from the front of 'input' (not empty).  '*consumed' bytes are
     * done with. */
    enum parse_verdict (*parse)(struct parser *p, struct session *s, struct span input,
                                size_t *consumed, struct command *out);
};

/* The dialect of the request that begins with 'input' (not empty).  RESP is latched: once
 * a connection spoke it, it is asked no more. */
const struct protocol *protocol_detect(struct session *s, struct span input);

/* Does a line end like a request of HTTP/1?  A browser or a proxy; its next lines would be
 * read as requests, so hang up. */
bool protocol_is_http(struct span line);

extern const struct protocol protocol_text; /* native and memcached, one verb table */
extern const struct protocol protocol_resp;

/* Why an invalidation was refused; follows each dialect's own code. */
#define PROTOCOL_DENIED "invalidation is not allowed from this address"

/* What a connection over the limit is told before it is closed; the same in every
 * dialect that has words (memcached's own text). */
#define PROTOCOL_REFUSAL "ERROR Too many open connections\r\n"

#endif
