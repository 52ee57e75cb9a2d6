/*
 * memcached_meta.c - the meta commands, the way in: mg me ms md ma and their flags.
 *
 *     mg <key> <flag>*        ms <key> <bytes> <flag>*
 *     md <key> <flag>*        ma <key> <flag>*
 *
 * A flag is a letter, perhaps with a value right behind it.
 * The key as it was written and the flags stay with the command as its arguments: the
 * answer repeats some of them in the order of the request.  Every flag that memcached
 * knows is accepted with every verb, as memcached does; those about times to live and
 * about storing mean nothing here.  C with mg is ours: what the client has is still good.
 */
#include "server/protocol/memcached.h"

#include <limits.h>

/* Key and flags; memcached has room for no more. */
#define WORDS_MAX 18

/* The letter and what it came with. */
#define OPAQUE_MAX 32

/* --- base64 --------------------------------------------------------------------- */

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes 'from' to 'to' (3 bytes for each 4); returns how many bytes there were, 0 when
 * it is not base64 with its padding. */
static size_t
base64_decode(struct span from, char *to)
{
    size_t padding = 0, n = 0, i;
    uint32_t bits = 0;

    if (from.n == 0 || from.n % 4 != 0)
        return 0;
    while (padding < 2 && from.p[from.n - 1 - padding] == '=')
        padding++;
    for (i = 0; i < from.n; i++) {
        int value = i < from.n - padding ? base64_value(from.p[i]) : 0;

        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            to[n++] = (char)(bits >> 16 & 0xff);
            to[n++] = (char)(bits >> 8 & 0xff);
            to[n++] = (char)(bits & 0xff);
        }
    }
    return n - padding;
}

/* --- flags ------------------------------------------------------------------------ */

enum flag_value {
    FLAG_UNKNOWN,
    FLAG_BARE, /* what follows the letter is not looked at */
    FLAG_KEY,
    FLAG_SIGNED,
    FLAG_CLIENT_FLAGS,
    FLAG_CAS,
    FLAG_MODE,
    FLAG_INITIAL,
    FLAG_DELTA,
};

static const unsigned char flag_values[UCHAR_MAX + 1] = {
    ['k'] = FLAG_BARE,   ['s'] = FLAG_BARE,    ['t'] = FLAG_BARE,
    ['c'] = FLAG_BARE,   ['f'] = FLAG_BARE,    ['v'] = FLAG_BARE,
    ['h'] = FLAG_BARE,   ['l'] = FLAG_BARE,    ['u'] = FLAG_BARE,
    ['q'] = FLAG_BARE,   ['O'] = FLAG_BARE,    ['P'] = FLAG_BARE,
    ['L'] = FLAG_BARE,   ['I'] = FLAG_BARE,    ['b'] = FLAG_KEY,
    ['N'] = FLAG_SIGNED, ['T'] = FLAG_SIGNED,  ['R'] = FLAG_SIGNED,
    ['C'] = FLAG_CAS,    ['M'] = FLAG_MODE,    ['F'] = FLAG_CLIENT_FLAGS,
    ['D'] = FLAG_DELTA,  ['J'] = FLAG_INITIAL,
};

/* What the flags of a line say together. */
struct meta {
    struct span key; /* decoded, if it must be */
    unsigned flags;  /* MEMCACHED_... */
    char mode;       /* 0: none given */
    bool opaque_too_long;
};

/* One flag; NULL, or what is wrong with it. */
static const char *
take_flag(struct memcached_line *l, struct meta *m, struct span word)
{
    struct span value = span_of(word.p + 1, word.n - 1);
    uint64_t number;
    int64_t time;

    switch ((enum flag_value)flag_values[(unsigned char)word.p[0]]) {
    case FLAG_UNKNOWN: /* was told already */
        break;
    case FLAG_BARE:
        m->flags |= word.p[0] == 'q' ? MEMCACHED_QUIET : 0;
        m->flags |= word.p[0] == 'v' ? MEMCACHED_VALUE : 0;
        m->opaque_too_long |= word.p[0] == 'O' && word.n > OPAQUE_MAX;
        break;
    case FLAG_KEY:
        /* Nothing is held while a line is read: there is room for the key. */
        m->key = span_of(l->session->held, base64_decode(m->key, l->session->held));
        return m->key.n == 0 ? "CLIENT_ERROR error decoding key" : NULL;
    case FLAG_SIGNED:
        return memcached_read_signed(value, &time)
                   ? NULL
                   : "CLIENT_ERROR bad token in command line format";
    case FLAG_CLIENT_FLAGS:
        return memcached_read_unsigned(value, &number) ? NULL : MEMCACHED_BAD_FORMAT;
    case FLAG_CAS:
        m->flags |= MEMCACHED_MATCH;
        return memcached_read_unsigned(value, &number)
                   ? NULL
                   : "CLIENT_ERROR bad token in command line format";
    case FLAG_MODE:
        m->mode = word.n == 2 ? word.p[1] : 0;
        return word.n == 2 ? NULL : "CLIENT_ERROR incorrect length for M token";
    case FLAG_INITIAL:
        return memcached_read_unsigned(value, &number)
                   ? NULL
                   : "CLIENT_ERROR invalid numeric initial value";
    case FLAG_DELTA:
        return memcached_read_unsigned(value, &number)
                   ? NULL
                   : "CLIENT_ERROR invalid numeric delta value";
    }
    return NULL;
}

/* All flags, from word 'first' on.  NULL, or what is wrong: a letter that comes twice or
 * is none at once, of the other mistakes the last. */
static const char *
take_flags(struct memcached_line *l, size_t first, struct meta *m)
{
    bool seen[UCHAR_MAX + 1] = { false };
    const char *wrong = NULL;
    size_t i;

    memset(m, 0, sizeof(*m));
    m->key = l->words[0];
    for (i = first; i < l->n; i++) {
        unsigned char letter = (unsigned char)l->words[i].p[0];
        const char *trouble;

        if (letter >= 127 || seen[letter])
            return "CLIENT_ERROR duplicate flag";
        seen[letter] = true;
        if (flag_values[letter] == FLAG_UNKNOWN)
            return "CLIENT_ERROR invalid flag";
        if ((trouble = take_flag(l, m, l->words[i])) != NULL)
            wrong = trouble;
    }
    return wrong;
}

/* Keeps the key as written and the flags for the answer. */
static bool
keep_words(struct memcached_line *l, size_t first)
{
    size_t i;

    for (i = 0; i < l->n; i += i == 0 ? first : 1) {
        if (!words_add(&l->parser->args, 0, l->words[i])) {
            memcached_refuse(l, "SERVER_ERROR out of memory");
            return false;
        }
    }
    return true;
}

/* --- verbs -------------------------------------------------------------------------- */

void
memcached_read_mg(struct memcached_line *l)
{
    const char *wrong;
    struct meta m;

    if (l->words[0].n > COMMAND_KEY_MAX)
        wrong = MEMCACHED_BAD_FORMAT;
    else if (l->n > WORDS_MAX)
        wrong = "CLIENT_ERROR options flags are too long";
    else if ((wrong = take_flags(l, 1, &m)) == NULL && m.opaque_too_long)
        wrong = "CLIENT_ERROR opaque token too long";
    if (wrong != NULL) {
        memcached_refuse(l, wrong);
        return;
    }
    l->out->flags = m.flags;
    if (keep_words(l, 1) && !memcached_look_up(l, m.key))
        return; /* and said so */
}

/* me <key> [b] */
void
memcached_read_me(struct memcached_line *l)
{
    struct span key = l->words[0];

    if (l->n > 1 && span_equal(l->words[1], SPAN("b")) && key.n <= COMMAND_KEY_MAX)
        key = span_of(l->session->held, base64_decode(key, l->session->held));
    if (l->n == 0 || key.n == 0 || key.n > COMMAND_KEY_MAX) {
        memcached_refuse(l, MEMCACHED_BAD_FORMAT);
        return;
    }
    l->n = 1;
    if (keep_words(l, 1) && !memcached_look_up(l, key))
        return; /* and said so */
}

/* Modes that overwrite what is there ask for its cas when one is given; the others would
 * not store for another reason. */
static const char *
check_set_mode(struct meta *m)
{
    switch (m->mode) {
    case 0:
    case 'S':
    case 'R':
        return NULL;
    case 'E':
    case 'A':
    case 'P':
        m->flags &= ~MEMCACHED_MATCH;
        return NULL;
    default:
        return "CLIENT_ERROR invalid mode for ms M token";
    }
}

/* A mistake before the length is known leaves the block to be read as lines: there is no
 * telling where it ends. */
void
memcached_read_ms(struct memcached_line *l)
{
    const char *wrong = NULL;
    struct span words[WORDS_MAX];
    int64_t length = 0;
    struct meta m;
    size_t i, n = 0;

    if (l->words[0].n > COMMAND_KEY_MAX || l->n == 1)
        wrong = MEMCACHED_BAD_FORMAT;
    else if (l->n > WORDS_MAX)
        wrong = "CLIENT_ERROR options flags too long";
    else if (!memcached_read_signed(l->words[1], &length) || length < 0 ||
             length > INT_MAX - 2)
        wrong = MEMCACHED_BAD_FORMAT;
    if (wrong != NULL) {
        memcached_refuse(l, wrong);
        return;
    }
    if ((wrong = take_flags(l, 2, &m)) == NULL && (wrong = check_set_mode(&m)) == NULL &&
        m.opaque_too_long)
        wrong = "CLIENT_ERROR opaque token too long";
    if (wrong != NULL) {
        memcached_refuse(l, wrong);
        memcached_drop(l, (size_t)length);
        return;
    }
    words[n++] = l->words[0];
    /* What the answer repeats; only of the opaque more than the letter matters, and what
     * is held is bounded. */
    for (i = 2; i < l->n; i++) {
        if (memchr("Okcb", l->words[i].p[0], 4) != NULL)
            words[n++] =
                span_of(l->words[i].p, l->words[i].p[0] == 'O' ? l->words[i].n : 1);
    }
    l->out->flags = m.flags;
    memcached_hold(l, (size_t)length, m.key, words, n);
}

/* What md and ma have in common: false, and it was said what is wrong. */
static bool
read_change(struct memcached_line *l, struct meta *m)
{
    const char *wrong = NULL;

    if (l->words[0].n > COMMAND_KEY_MAX)
        wrong = MEMCACHED_BAD_FORMAT;
    else if (l->n > WORDS_MAX)
        wrong = "CLIENT_ERROR options flags too long";
    else if (take_flags(l, 1, m) != NULL)
        wrong = "CLIENT_ERROR invalid or duplicate flag";
    if (wrong != NULL) {
        memcached_refuse(l, wrong);
        return false;
    }
    l->out->flags = m->flags;
    return keep_words(l, 1);
}

void
memcached_read_md(struct memcached_line *l)
{
    struct meta m;

    if (!read_change(l, &m))
        return;
    if (m.opaque_too_long)
        memcached_refuse(l, "CLIENT_ERROR opaque token too long");
    else if (!memcached_forget(l, m.key))
        return; /* and said so */
}

void
memcached_read_ma(struct memcached_line *l)
{
    struct meta m;

    if (!read_change(l, &m))
        return;
    if (m.mode != 0 && memchr("I+D-", m.mode, 4) == NULL)
        memcached_refuse(l, "CLIENT_ERROR invalid mode for ma M token");
    else if (m.opaque_too_long)
        memcached_refuse(l, "CLIENT_ERROR opaque token too long");
    else if (!memcached_look_up(l, m.key))
        return; /* and said so */
}
