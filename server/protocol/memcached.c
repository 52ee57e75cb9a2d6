/*
 * memcached.c - the memcached text dialect, the way in: verbs and their words.
 *
 * What is read here is fetchd's items; nothing can be stored.  Verbs that would change an
 * item are understood to the last byte of their data block and then answered like a
 * memcached that declined: NOT_STORED, EXISTS, NOT_FOUND.
 * "noreply" silences every line of a classic verb, also the one that says what is wrong
 * with it, but not the bare ERROR of a wrong number of words; so does memcached.
 */
#include "server/protocol/memcached.h"

#include <limits.h>

/* --- words ---------------------------------------------------------------------- */

bool
memcached_read_unsigned(struct span word, uint64_t *out)
{
    size_t i = word.n > 0 && word.p[0] == '+' ? 1 : 0;
    uint64_t value = 0;

    if (i == word.n)
        return false;
    for (; i < word.n; i++) {
        uint64_t digit = (uint64_t)(unsigned char)word.p[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool
memcached_read_signed(struct span word, int64_t *out)
{
    bool negative = word.n > 1 && word.p[0] == '-' && word.p[1] != '+';
    uint64_t magnitude;

    if (!memcached_read_unsigned(negative ? span_of(word.p + 1, word.n - 1) : word,
                                 &magnitude) ||
        magnitude > INT64_MAX)
        return false;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool
is_signed(struct span word)
{
    int64_t ignored;

    return memcached_read_signed(word, &ignored);
}

static bool
is_unsigned(struct span word)
{
    uint64_t ignored;

    return memcached_read_unsigned(word, &ignored);
}

void
memcached_refuse(struct memcached_line *l, const char *text)
{
    command_refuse(l->out, COMMAND_ERROR_SYNTAX, text);
    l->out->answer = memcached_answer_line;
}

void
memcached_say(struct memcached_line *l, const char *text)
{
    l->out->kind = COMMAND_LOCAL;
    l->out->answer = memcached_answer_line;
    l->out->error_text = text;
}

bool
memcached_look_up(struct memcached_line *l, struct span key)
{
    if (!words_add(&l->parser->keys, l->parser->limits.ids_max, key)) {
        memcached_refuse(l, "CLIENT_ERROR more keys than limits.ids allows");
        return false;
    }
    l->out->kind = COMMAND_FETCH;
    l->out->omits_failures = true;
    return true;
}

bool
memcached_forget(struct memcached_line *l, struct span key)
{
    if (!words_add(&l->parser->keys, 0, key)) {
        memcached_refuse(l, "SERVER_ERROR out of memory");
        return false;
    }
    l->out->kind = COMMAND_INVALIDATE;
    return true;
}

/* The last word may ask for silence. */
static void
note_noreply(struct memcached_line *l)
{
    if (l->n > 0 && span_equal(l->words[l->n - 1], SPAN("noreply")))
        l->out->flags |= MEMCACHED_QUIET;
}

/* --- verbs ------------------------------------------------------------------------ */

static void
read_get(struct memcached_line *l)
{
    struct span rest = l->rest, word;
    struct text_words keys;

    if ((l->out->verb == MEMCACHED_GAT || l->out->verb == MEMCACHED_GATS) &&
        text_next_word(&rest, &word) && !is_signed(word)) {
        memcached_refuse(l, "CLIENT_ERROR invalid exptime argument");
        return;
    }
    keys = text_words_of(rest);
    while (text_words_next(&keys, &word)) {
        if (word.n > COMMAND_KEY_MAX) {
            memcached_refuse(l, MEMCACHED_BAD_FORMAT);
            return;
        }
        if (!memcached_look_up(l, word))
            return;
    }
}

/* <key> <flags> <exptime> <bytes> [cas] [noreply] */
static void
read_storage(struct memcached_line *l)
{
    bool with_cas = l->out->verb == MEMCACHED_CAS;
    int64_t length;

    note_noreply(l);
    if (l->words[0].n > COMMAND_KEY_MAX || !is_unsigned(l->words[1]) ||
        !is_signed(l->words[2]) || !memcached_read_signed(l->words[3], &length) ||
        (with_cas && !is_unsigned(l->words[4])) || length < 0 || length > INT_MAX - 2)
        memcached_refuse(l, MEMCACHED_BAD_FORMAT);
    else
        memcached_hold(l, (size_t)length, l->words[0], NULL, 0);
}

/* touch <key> <exptime> [noreply], incr and decr <key> <delta> [noreply] */
static void
read_change(struct memcached_line *l)
{
    bool touch = l->out->verb == MEMCACHED_TOUCH;

    note_noreply(l);
    if (l->words[0].n > COMMAND_KEY_MAX)
        memcached_refuse(l, MEMCACHED_BAD_FORMAT);
    else if (touch && !is_signed(l->words[1]))
        memcached_refuse(l, "CLIENT_ERROR invalid exptime argument");
    else if (!touch && !is_unsigned(l->words[1]))
        memcached_refuse(l, "CLIENT_ERROR invalid numeric delta argument");
    else if (!memcached_look_up(l, l->words[0]))
        return; /* and said so */
}

/* delete <key> [0] [noreply]: from the cache; the database never hears of it. */
static void
read_delete(struct memcached_line *l)
{
    bool zero = l->n > 1 && span_equal(l->words[1], SPAN("0"));

    if (l->n > 1) {
        bool quiet;

        note_noreply(l);
        quiet = (l->out->flags & MEMCACHED_QUIET) != 0;
        if (l->n == 2 ? !zero && !quiet : !zero || !quiet) {
            memcached_refuse(l, MEMCACHED_BAD_FORMAT ".  Usage: delete <key> [noreply]");
            return;
        }
    }
    if (l->words[0].n > COMMAND_KEY_MAX)
        memcached_refuse(l, MEMCACHED_BAD_FORMAT);
    else if (!memcached_forget(l, l->words[0]))
        return; /* and said so */
}

/* flush_all [exptime] [noreply].  Whenever it is wanted, it is done now: what is forgotten
 * too early is only fetched again. */
static void
read_flush_all(struct memcached_line *l)
{
    size_t plain;

    note_noreply(l);
    plain = (l->out->flags & MEMCACHED_QUIET) != 0 ? 1 : 0;
    if (l->n != plain && !is_signed(l->words[0]))
        memcached_refuse(l, "CLIENT_ERROR invalid exptime argument");
    else
        l->out->kind = COMMAND_FLUSH;
}

/* verbosity <level> [noreply] */
static void
read_verbosity(struct memcached_line *l)
{
    note_noreply(l);
    if (!is_unsigned(l->words[0]))
        memcached_refuse(l, MEMCACHED_BAD_FORMAT);
    else
        memcached_say(l, "OK");
}

static void
read_mn(struct memcached_line *l)
{
    memcached_say(l, "MN");
}

/* --- the table ---------------------------------------------------------------------- */

#define ANY MEMCACHED_WORDS_MAX

/* clang-format off */
/* number, name; words behind it: at least, at most; how they are read, the answer */
#define MEMCACHED_VERBS(X) \
    X(GET,       "get",       1, ANY, read_get,          memcached_answer_values) \
    X(GETS,      "gets",      1, ANY, read_get,          memcached_answer_values) \
    X(GAT,       "gat",       1, ANY, read_get,          memcached_answer_values) \
    X(GATS,      "gats",      1, ANY, read_get,          memcached_answer_values) \
    X(SET,       "set",       4, 5,   read_storage,      memcached_answer_line) \
    X(ADD,       "add",       4, 5,   read_storage,      memcached_answer_line) \
    X(REPLACE,   "replace",   4, 5,   read_storage,      memcached_answer_line) \
    X(APPEND,    "append",    4, 5,   read_storage,      memcached_answer_line) \
    X(PREPEND,   "prepend",   4, 5,   read_storage,      memcached_answer_line) \
    X(CAS,       "cas",       5, 6,   read_storage,      memcached_answer_exists) \
    X(TOUCH,     "touch",     2, 3,   read_change,       memcached_answer_exists) \
    X(INCR,      "incr",      2, 3,   read_change,       memcached_answer_exists) \
    X(DECR,      "decr",      2, 3,   read_change,       memcached_answer_exists) \
    X(DELETE,    "delete",    1, 3,   read_delete,       memcached_answer_forgotten) \
    X(FLUSH_ALL, "flush_all", 0, 2,   read_flush_all,    memcached_answer_forgotten) \
    X(VERBOSITY, "verbosity", 1, 2,   read_verbosity,    memcached_answer_line) \
    X(MG,        "mg",        1, ANY, memcached_read_mg, memcached_answer_meta_get) \
    X(ME,        "me",        0, ANY, memcached_read_me, memcached_answer_meta_debug) \
    X(MN,        "mn",        0, ANY, read_mn,           memcached_answer_line) \
    X(MS,        "ms",        1, ANY, memcached_read_ms, memcached_answer_meta_status) \
    X(MD,        "md",        1, ANY, memcached_read_md, memcached_answer_meta_delete) \
    X(MA,        "ma",        1, ANY, memcached_read_ma, memcached_answer_meta_status)
/* clang-format on */

static const struct {
    size_t min;
    size_t max;
    void (*read)(struct memcached_line *l);
} rules[MEMCACHED_NVERBS] = {
#define RULE(number, name, min, max, read, answer) \
    [MEMCACHED_##number] = { min, max, read },
    MEMCACHED_VERBS(RULE)
#undef RULE
};

static void
arguments(struct parser *p, struct session *s, struct span rest, struct command *out)
{
    struct memcached_line l = { .parser = p, .session = s, .out = out, .rest = rest };

    if (out->tag_len > 0) {
        command_refuse(out, COMMAND_ERROR_SYNTAX, "a verb of memcached takes no tag");
        return;
    }
    while (l.n < MEMCACHED_WORDS_MAX && text_next_word(&rest, &l.words[l.n]))
        l.n++;
    if (l.n < rules[out->verb].min || l.n > rules[out->verb].max)
        memcached_refuse(&l, "ERROR");
    else
        rules[out->verb].read(&l);
}

#define VERB(number, name, min, max, read, answer) \
    { name, COMMAND_LOCAL, MEMCACHED_##number, arguments, answer, NULL },
static const struct verb verbs[] = { MEMCACHED_VERBS(VERB) };
#undef VERB

const struct verb_table memcached_verbs = { verbs, ARRAY_LEN(verbs) };
