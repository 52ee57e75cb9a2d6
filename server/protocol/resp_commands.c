/*
 * resp_commands.c - words become a command: the table of commands, and what each takes.
 *
 * Owns: what this dialect understands.  COMMAND is answered from the same table.
 * Promise: a request is judged here, once; answers only say what was found.  Refusals
 * are in Redis' own words where Redis has them, and the connection lives on.
 */
#include "server/protocol/resp.h"

#include "server/protocol/text.h"

#include <strings.h>

/* As much of a client's bytes as an error shows, and of its arguments. */
#define SHOWN_BYTES 128
#define SHOWN_WORDS 48

/* Bytes of words that are not ids in one request: fields, ECHO. */
#define ARGUMENTS_BYTES_MAX ((size_t)64 << 10)

/* --- helpers ----------------------------------------------------------------------- */

bool
resp_is(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

void
resp_refuse(struct command *out, enum command_error error, const char *text)
{
    command_refuse(out, error, text);
    out->answer = resp_answer_error;
}

/* Words that an error shows, as much of them as it shows. */
static void
show_words(struct span *words, size_t n, struct command *out)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (words[i].n > SHOWN_BYTES)
            words[i].n = SHOWN_BYTES;
    }
    out->args = words;
    out->nargs = n;
}

static bool
check_key(struct span key, struct command *out)
{
    const char *wrong = NULL;

    if (key.n == 0)
        wrong = "ERR a key is empty";
    else if (key.n > COMMAND_KEY_MAX)
        wrong = "ERR a key is longer than 250 bytes";
    else if (text_has_control(key))
        wrong = "ERR a key holds a blank or a control character";
    if (wrong != NULL)
        resp_refuse(out, COMMAND_ERROR_SYNTAX, wrong);
    return wrong == NULL;
}

/* Keys, and for a fetch the fields behind the only one. */
static void
take_keys(const struct resp_request *q, const struct resp_verb *verb, struct command *out)
{
    size_t n = verb->keys == RESP_KEYS_ONE ? 1 : q->n - 1, i;

    for (i = 0; i < n; i++) {
        if (!check_key(q->words[1 + i], out))
            return;
    }
    out->keys = q->words + 1;
    out->nkeys = n;
    out->fields = q->words + 1 + n;
    out->nfields = q->n - 1 - n;
}

static void
refuse_arity(struct command *out, const char *name)
{
    resp_refuse(out, COMMAND_ERROR_SYNTAX, name);
    out->answer = resp_answer_arity;
}

/* --- what some commands take ------------------------------------------------------ */

static void
take_ping(const struct resp_request *q, struct command *out)
{
    out->args = q->words + 1;
    out->nargs = q->n - 1;
    if (q->n > 2)
        refuse_arity(out, "ping");
}

static void
take_select(const struct resp_request *q, struct command *out)
{
    long long index;

    if (!resp_integer(q->words[1], &index))
        resp_refuse(out, COMMAND_ERROR_OPTION,
                    "ERR value is not an integer or out of range");
    else if (index != 0)
        resp_refuse(out, COMMAND_ERROR_OPTION, "ERR DB index is out of range");
}

/* There are no passwords: what Redis says while it has none.  NULL: let in. */
static const char *
check_password(struct span user)
{
    return span_equal(user, SPAN("default"))
               ? NULL
               : "WRONGPASS invalid username-password pair or user is disabled.";
}

static void
take_auth(const struct resp_request *q, struct command *out)
{
    const char *wrong = "ERR syntax error";

    if (q->argc == 2)
        wrong = "ERR AUTH <password> called without any password configured for the "
                "default user. Are you sure your configuration is correct?";
    else if (q->argc == 3)
        wrong = check_password(q->words[1]);
    if (wrong != NULL)
        resp_refuse(out, COMMAND_ERROR_OPTION, wrong);
}

static bool
check_name(struct span name, struct command *out)
{
    size_t i;

    for (i = 0; i < name.n; i++) {
        if (name.p[i] < '!' || name.p[i] > '~') {
            resp_refuse(out, COMMAND_ERROR_OPTION,
                        "ERR Client names cannot contain spaces, newlines or special "
                        "characters.");
            return false;
        }
    }
    return true;
}

static void
take_name(const struct resp_request *q, struct command *out)
{
    if (check_name(q->words[1], out)) {
        out->args = q->words + 1;
        out->nargs = 1;
    }
}

/* HELLO [version [AUTH user password] [SETNAME name]]: 'flags' is the version, or 0, and
 * the argument, if any, the name. */
static void
take_hello(const struct resp_request *q, struct command *out)
{
    const char *wrong = NULL;
    long long version = 0;
    size_t i;

    if (q->n > 1 && !resp_integer(q->words[1], &version))
        wrong = "ERR Protocol version is not an integer or out of range";
    else if (q->n > 1 && (version < 2 || version > 3))
        wrong = "NOPROTO unsupported protocol version";
    for (i = 2; i < q->n && wrong == NULL; i++) {
        size_t more = q->n - 1 - i;

        if (resp_is(q->words[i], "auth") && more >= 2) {
            wrong = check_password(q->words[i + 1]);
            i += 2;
        } else if (resp_is(q->words[i], "setname") && more >= 1) {
            if (!check_name(q->words[++i], out))
                return;
            out->args = q->words + i;
            out->nargs = 1;
        } else {
            resp_refuse(out, COMMAND_ERROR_OPTION, "");
            out->answer = resp_answer_hello_option;
            show_words(q->words + i, 1, out);
            return;
        }
    }
    if (wrong != NULL)
        resp_refuse(out, COMMAND_ERROR_OPTION, wrong);
    out->flags = (unsigned)version;
}

/* "SETINFO attribute value", "NO-EVICT on": true of this connection or not, nothing
 * here depends on it. */
static void
take_nothing(const struct resp_request *q, struct command *out)
{
    (void)q;
    (void)out;
}

static void
take_reply(const struct resp_request *q, struct command *out)
{
    if (!resp_is(q->words[1], "on"))
        resp_refuse(out, COMMAND_ERROR_OPTION,
                    "ERR CLIENT REPLY OFF and SKIP are not supported");
}

static void
take_config(const struct resp_request *q, struct command *out)
{
    (void)q;
    resp_refuse(out, COMMAND_ERROR_OPTION,
                "ERR the configuration is a file, and read only from here");
}

static void
take_fetch(const struct resp_request *q, struct command *out)
{
    (void)q;
    resp_refuse(out, COMMAND_ERROR_SYNTAX,
                "ERR fetch is of fetchd's own dialect: write it in lower case on a "
                "connection that has not spoken RESP, or ask with MGET");
}

/* --- the tables -------------------------------------------------------------------- */

#define LOCAL COMMAND_LOCAL
#define FETCH COMMAND_FETCH
#define NO_KEYS RESP_KEYS_NONE
#define ONE_KEY RESP_KEYS_ONE
#define ALL_KEYS RESP_KEYS_ALL

/* clang-format off */
static const struct resp_verb client_verbs[] = {
    { "client|getname",    2, LOCAL, NO_KEYS, NULL,         resp_answer_client_name,     "The name of this connection.", NULL, 0 },
    { "client|getredir",   2, LOCAL, NO_KEYS, NULL,         resp_answer_client_redirect, "Always -1: nothing is tracked.", NULL, 0 },
    { "client|help",       2, LOCAL, NO_KEYS, NULL,         resp_answer_help,            "These lines.", NULL, 0 },
    { "client|id",         2, LOCAL, NO_KEYS, NULL,         resp_answer_client_id,       "The number of this connection in its worker.", NULL, 0 },
    { "client|info",       2, LOCAL, NO_KEYS, NULL,         resp_answer_client_info,     "What is known of this connection.", NULL, 0 },
    { "client|list",      -2, LOCAL, NO_KEYS, NULL,         resp_answer_client_info,     "The same: a connection sees itself alone.", NULL, 0 },
    { "client|no-evict",   3, LOCAL, NO_KEYS, take_nothing, resp_answer_ok,              "Accepted and ignored.", NULL, 0 },
    { "client|no-touch",   3, LOCAL, NO_KEYS, take_nothing, resp_answer_ok,              "Accepted and ignored.", NULL, 0 },
    { "client|reply",      3, LOCAL, NO_KEYS, take_reply,   resp_answer_ok,              "ON alone.", NULL, 0 },
    { "client|setinfo",    4, LOCAL, NO_KEYS, take_nothing, resp_answer_ok,              "Accepted and ignored.", NULL, 0 },
    { "client|setname",    3, LOCAL, NO_KEYS, take_name,    resp_answer_client_rename,   "Names this connection.", NULL, 0 },
};

static const struct resp_verb command_verbs[] = {
    { "command|count",     2, LOCAL, NO_KEYS, NULL,         resp_answer_command_count,   "How many commands there are.", NULL, 0 },
    { "command|docs",     -2, LOCAL, NO_KEYS, NULL,         resp_answer_command_docs,    "What they are for.", NULL, 0 },
    { "command|help",      2, LOCAL, NO_KEYS, NULL,         resp_answer_help,            "These lines.", NULL, 0 },
    { "command|info",     -2, LOCAL, NO_KEYS, NULL,         resp_answer_command_info,    "What they take.", NULL, 0 },
    { "command|list",     -2, LOCAL, NO_KEYS, NULL,         resp_answer_command_list,    "Their names.", NULL, 0 },
};

static const struct resp_verb config_verbs[] = {
    { "config|get",       -3, LOCAL, NO_KEYS, NULL,         resp_answer_config_get,      "What tools of Redis ask for.", NULL, 0 },
    { "config|help",       2, LOCAL, NO_KEYS, NULL,         resp_answer_help,            "These lines.", NULL, 0 },
    { "config|resetstat",  2, LOCAL, NO_KEYS, take_config,  resp_answer_ok,              "Refused.", NULL, 0 },
    { "config|rewrite",    2, LOCAL, NO_KEYS, take_config,  resp_answer_ok,              "Refused.", NULL, 0 },
    { "config|set",       -4, LOCAL, NO_KEYS, take_config,  resp_answer_ok,              "Refused.", NULL, 0 },
};

const struct resp_verb resp_verbs[] = {
    { "mget",             -2, FETCH, ALL_KEYS, NULL,        resp_answer_mget,            "Items as JSON; nil when there is none, an error when it is not known.", NULL, 0 },
    { "get",               2, FETCH, ONE_KEY, NULL,         resp_answer_get,             "An item as JSON; nil when there is none.", NULL, 0 },
    { "hmget",            -3, FETCH, ONE_KEY, NULL,         resp_answer_hmget,           "Fields of an item; attrs.color reaches into a JSON column.", NULL, 0 },
    { "hget",              3, FETCH, ONE_KEY, NULL,         resp_answer_hget,            "A field of an item.", NULL, 0 },
    { "hgetall",           2, FETCH, ONE_KEY, NULL,         resp_answer_hgetall,         "Every field of an item and its value.", NULL, 0 },
    { "exists",           -2, FETCH, ALL_KEYS, NULL,        resp_answer_exists,          "How many of the keys have an item.", NULL, 0 },
    { "strlen",            2, FETCH, ONE_KEY, NULL,         resp_answer_strlen,          "How many bytes GET answers.", NULL, 0 },
    { "type",              2, FETCH, ONE_KEY, NULL,         resp_answer_type,            "string, or none when there is no item.", NULL, 0 },
    { "ttl",               2, FETCH, ONE_KEY, NULL,         resp_answer_ttl,             "-1, or -2 when there is no item.", NULL, 0 },
    { "pttl",              2, FETCH, ONE_KEY, NULL,         resp_answer_ttl,             "-1, or -2 when there is no item.", NULL, 0 },
    { "del",              -2, COMMAND_INVALIDATE, ALL_KEYS, NULL, resp_answer_forgotten, "Forgets what is cached of items; how many were.", NULL, 0 },
    { "unlink",           -2, COMMAND_INVALIDATE, ALL_KEYS, NULL, resp_answer_forgotten, "The same as DEL.", NULL, 0 },
    { "ping",             -1, LOCAL, NO_KEYS, take_ping,   resp_answer_ping,            "PONG, or the argument.", NULL, 0 },
    { "echo",              2, LOCAL, NO_KEYS, NULL,         resp_answer_echo,            "The argument.", NULL, 0 },
    { "hello",            -1, LOCAL, NO_KEYS, take_hello,   resp_answer_hello,           "Chooses RESP2 or RESP3.", NULL, 0 },
    { "auth",             -2, LOCAL, NO_KEYS, take_auth,    resp_answer_ok,              "There are no passwords.", NULL, 0 },
    { "client",           -2, LOCAL, NO_KEYS, NULL,         NULL,                        "About this connection.", client_verbs, ARRAY_LEN(client_verbs) },
    { "select",            2, LOCAL, NO_KEYS, take_select,  resp_answer_ok,              "0 alone.", NULL, 0 },
    { "dbsize",            1, LOCAL, NO_KEYS, NULL,         resp_answer_dbsize,          "How many items are cached.", NULL, 0 },
    { "info",             -1, LOCAL, NO_KEYS, NULL,         resp_answer_info,            "Counters of all workers; fetchd's own in the section fetchd.", NULL, 0 },
    { "command",          -1, LOCAL, NO_KEYS, NULL,         resp_answer_command,         "What this server understands.", command_verbs, ARRAY_LEN(command_verbs) },
    { "config",           -2, LOCAL, NO_KEYS, NULL,         NULL,                        "What tools of Redis ask for.", config_verbs, ARRAY_LEN(config_verbs) },
    { "time",              1, LOCAL, NO_KEYS, NULL,         resp_answer_time,            "Seconds and microseconds.", NULL, 0 },
    { "role",              1, LOCAL, NO_KEYS, NULL,         resp_answer_role,            "A replica: nothing can be written here.", NULL, 0 },
    { "reset",             1, LOCAL, NO_KEYS, NULL,         resp_answer_reset,           "RESP2 again, and no name.", NULL, 0 },
    { "quit",             -1, COMMAND_QUIT, NO_KEYS, NULL,  resp_answer_ok,              "Closes the connection.", NULL, 0 },
    { "fetch",            -1, LOCAL, NO_KEYS, take_fetch,   resp_answer_error,           "Of fetchd's own dialect; see help there.", NULL, 0 },
};
const size_t resp_nverbs = ARRAY_LEN(resp_verbs);

/* Commands of Redis 7 that write: refused as a replica refuses them. */
static const char *const writers[] = {
    "set", "mset", "setnx", "msetnx", "setex", "psetex", "getset", "getdel", "getex",
    "append", "setrange", "incr", "decr", "incrby", "decrby", "incrbyfloat",
    "hset", "hmset", "hsetnx", "hdel", "hincrby", "hincrbyfloat",
    "expire", "pexpire", "expireat", "pexpireat", "persist",
    "rename", "renamenx", "move", "copy", "restore", "migrate", "sort",
    "flushdb", "flushall", "swapdb",
    "lpush", "rpush", "lpushx", "rpushx", "lpop", "rpop", "blpop", "brpop", "lset",
    "lrem", "ltrim", "linsert", "lmove", "blmove", "rpoplpush", "brpoplpush", "lmpop",
    "blmpop",
    "sadd", "srem", "spop", "smove", "sinterstore", "sunionstore", "sdiffstore",
    "zadd", "zrem", "zincrby", "zpopmin", "zpopmax", "bzpopmin", "bzpopmax", "zmpop",
    "bzmpop", "zunionstore", "zinterstore", "zdiffstore", "zrangestore",
    "zremrangebyscore", "zremrangebyrank", "zremrangebylex",
    "setbit", "bitop", "bitfield", "pfadd", "pfmerge",
    "geoadd", "geosearchstore", "georadius", "georadiusbymember",
    "xadd", "xdel", "xtrim", "xgroup", "xack", "xclaim", "xautoclaim", "xsetid",
    "xreadgroup",
};
/* clang-format on */

/* --- choosing ---------------------------------------------------------------------- */

const struct resp_verb *
resp_find_verb(struct span name)
{
    size_t i;

    for (i = 0; i < resp_nverbs; i++) {
        if (resp_is(name, resp_verbs[i].name))
            return &resp_verbs[i];
    }
    return NULL;
}

static const struct resp_verb *
find_sub(const struct resp_verb *verb, struct span name)
{
    size_t i, skip = strlen(verb->name) + 1;

    for (i = 0; i < verb->nsubs; i++) {
        if (resp_is(name, verb->subs[i].name + skip))
            return &verb->subs[i];
    }
    return NULL;
}

static bool
is_writer(struct span name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(writers); i++) {
        if (resp_is(name, writers[i]))
            return true;
    }
    return false;
}

/* A write is refused without being counted as a mistake: an application that tries to
 * fill its cache must not lose its connection over that. */
static void
take_unknown(const struct resp_request *q, struct command *out)
{
    if (is_writer(q->words[0])) {
        out->kind = COMMAND_LOCAL;
        out->answer = resp_answer_readonly;
        return;
    }
    resp_refuse(out, COMMAND_ERROR_UNKNOWN, "");
    out->answer = resp_answer_unknown;
    show_words(q->words, q->n < SHOWN_WORDS ? q->n : SHOWN_WORDS, out);
}

static bool
check_arity(const struct resp_request *q, const struct resp_verb *verb,
            struct command *out)
{
    size_t least = (size_t)(verb->arity < 0 ? -verb->arity : verb->arity);

    if (verb->arity > 0 ? q->argc == least : q->argc >= least)
        return true;
    refuse_arity(out, verb->name);
    return false;
}

/* The request keeps a copy of its words until it is answered, and a client may have many
 * requests in the works. */
static bool
check_size(const struct resp_request *q, const struct resp_verb *verb,
           struct command *out)
{
    size_t bytes = 0, i;

    if (q->argc - 1 > q->ids_max) {
        resp_refuse(out, COMMAND_ERROR_TOOMANY,
                    "ERR more ids or fields than limits.ids allows");
        return false;
    }
    for (i = 1; i < q->n && verb->keys != RESP_KEYS_ALL; i++)
        bytes += q->words[i].n;
    if (q->n == q->argc && bytes <= ARGUMENTS_BYTES_MAX)
        return true;
    resp_refuse(out, COMMAND_ERROR_TOOLONG, "ERR the arguments are too long");
    return false;
}

static void
take_arguments(const struct resp_request *q, const struct resp_verb *verb,
               struct command *out)
{
    if (!check_size(q, verb, out))
        return;
    out->kind = verb->kind;
    out->answer = verb->answer;
    out->error_text = verb->name;
    if (verb->take != NULL) {
        verb->take(q, out);
    } else if (verb->keys != RESP_KEYS_NONE) {
        take_keys(q, verb, out);
    } else {
        out->args = q->words + 1;
        out->nargs = q->n - 1;
    }
}

/* The rest of the words as a request of its own: "client id" becomes "id". */
static void
take_sub(const struct resp_request *q, const struct resp_verb *verb, struct command *out)
{
    const struct resp_verb *sub = find_sub(verb, q->words[1]);
    struct resp_request rest = { q->words + 1, q->n - 1, q->argc - 1, q->ids_max };

    if (sub == NULL) {
        resp_refuse(out, COMMAND_ERROR_UNKNOWN, verb->name);
        out->answer = resp_answer_unknown_sub;
        show_words(rest.words, 1, out);
    } else if (check_arity(q, sub, out)) {
        take_arguments(&rest, sub, out);
    }
}

void
resp_command(const struct resp_request *q, struct command *out)
{
    const struct resp_verb *verb = resp_find_verb(q->words[0]);

    if (verb == NULL)
        take_unknown(q, out);
    else if (verb->nsubs > 0 && q->n > 1)
        take_sub(q, verb, out);
    else if (check_arity(q, verb, out))
        take_arguments(q, verb, out);
}
