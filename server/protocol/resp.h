/*
 * resp.h - the rooms of the RESP dialect, to each other.
 *
 *     resp.c           bytes -> words of one request (arrays and inline)
 *     resp_commands.c  words -> command: the table of commands, their arguments
 *     resp_answer.c    results -> replies; how each RESP type is written
 *     resp_session.c   answers about the connection: HELLO, CLIENT, CONFIG, ...
 *     resp_catalogue.c COMMAND: the table shows itself
 *     resp_info.c      INFO
 */
#ifndef SERVER_PROTOCOL_RESP_H
#define SERVER_PROTOCOL_RESP_H

#include "server/protocol/protocol.h"

#include <stdint.h>

/* The Redis whose replies clients may rely on: what it says is what we say. */
#define RESP_REDIS_VERSION "7.0.15"

/* The words of one request.  More came (n < argc) than any request may hold. */
struct resp_request {
    struct span *words; /* the first is the command's name */
    size_t n;           /* at least 1 */
    size_t argc;
    size_t ids_max; /* keys it may ask for */
};

/* Which words are keys. */
enum resp_keys {
    RESP_KEYS_NONE,
    RESP_KEYS_ONE, /* the first argument */
    RESP_KEYS_ALL, /* every argument */
};

/* A command, or a subcommand of one. */
struct resp_verb {
    const char *name; /* a subcommand's with its command: "client|id" */
    int arity;        /* words, name and all; negative: at least so many */
    enum command_kind kind;
    enum resp_keys keys;
    /* Reads the arguments; may refuse.  NULL: they become 'args' as they are. */
    void (*take)(const struct resp_request *q, struct command *out);
    command_answer *answer;
    const char *summary;
    const struct resp_verb *subs;
    size_t nsubs;
};

extern const struct resp_verb resp_verbs[];
extern const size_t resp_nverbs;

/* Makes a command of the words. */
void resp_command(const struct resp_request *q, struct command *out);

/* Makes the command an error; 'text' is static and follows the '-' of the reply. */
void resp_refuse(struct command *out, enum command_error error, const char *text);

/* The top-level command of that name, in any case; NULL: there is none. */
const struct resp_verb *resp_find_verb(struct span name);

/* Is it this word, in any case? */
bool resp_is(struct span s, const char *word);

/* A decimal integer as Redis reads it: no blank, no '+', no leading zero. */
bool resp_integer(struct span s, long long *value) MUST_CHECK;

/* --- how the types are written ------------------------------------------------- */

void resp_put_array(struct buf *out, size_t n);
void resp_put_map(struct buf *out, const struct session *s, size_t pairs);
void resp_put_set(struct buf *out, const struct session *s, size_t n);
void resp_put_bulk(struct buf *out, struct span s);
void resp_put_integer(struct buf *out, long long value);
void resp_put_nil(struct buf *out, const struct session *s);
void resp_put_ok(struct buf *out);

/* Text for people; a bulk string in RESP2. */
void resp_put_verbatim(struct buf *out, const struct session *s, struct span text);

/* --- answers --------------------------------------------------------------------- */

command_answer resp_answer_get;
command_answer resp_answer_mget;
command_answer resp_answer_hget;
command_answer resp_answer_hmget;
command_answer resp_answer_hgetall;
command_answer resp_answer_exists;
command_answer resp_answer_strlen;
command_answer resp_answer_type;
command_answer resp_answer_ttl;

/* The reply is error_text: with a '-', and whole. */
command_answer resp_answer_error;
/* error_text is a command's name. */
command_answer resp_answer_arity;
/* args: what was sent. */
command_answer resp_answer_unknown;
/* error_text is the command's name, args[0] the subcommand that it has not. */
command_answer resp_answer_unknown_sub;
/* args[0] is the byte that came where a '$' was due. */
command_answer resp_answer_no_dollar;
/* args[0] is the option that HELLO has not. */
command_answer resp_answer_hello_option;

command_answer resp_answer_ok;
command_answer resp_answer_forgotten;
command_answer resp_answer_dbsize;
command_answer resp_answer_readonly;
command_answer resp_answer_ping;
command_answer resp_answer_echo;
command_answer resp_answer_hello;
command_answer resp_answer_reset;
command_answer resp_answer_time;
command_answer resp_answer_role;
command_answer resp_answer_client_id;
command_answer resp_answer_client_name;
command_answer resp_answer_client_rename;
command_answer resp_answer_client_info;
command_answer resp_answer_client_redirect;
command_answer resp_answer_config_get;
command_answer resp_answer_help;
command_answer resp_answer_info;
command_answer resp_answer_command;
command_answer resp_answer_command_count;
command_answer resp_answer_command_list;
command_answer resp_answer_command_info;
command_answer resp_answer_command_docs;

#endif
