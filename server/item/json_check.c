/*
 * json_check.c - strict JSON, checked and made compact in one walk.
 *
 * The text is read once, token by token; no recursion, the open brackets are bits of
 * a small stack.  Significant bytes travel in runs: a run ends where white space
 * begins, so a text without any is one copy.
 *
 *     {"a": [1,  2]}        WANT_FIRST_KEY "a" : WANT_VALUE [ WANT_FIRST_VALUE 1
 *     ^run^ ^run ^run       WANT_MORE , WANT_VALUE 2 WANT_MORE ] WANT_MORE } end
 */
#include "server/item/json.h"

#include "common/scan.h"
#include "server/item/json_put.h"
#include "server/item/utf8.h"

#include <stdint.h>

enum want {
    WANT_VALUE,
    WANT_FIRST_VALUE, /* or ] */
    WANT_KEY,
    WANT_FIRST_KEY, /* or } */
    WANT_COLON,
    WANT_MORE, /* a comma, a closing bracket, or the end */
};

struct walk {
    const unsigned char *p;
    const unsigned char *end;
    const unsigned char *run; /* where the bytes not yet copied begin */
    char *to;                 /* NULL: only check */
    size_t size;              /* significant bytes before the run */
    enum want want;
    unsigned depth;
    uint64_t objects[(JSON_DEPTH_MAX + 63) / 64]; /* a bit a level: an object? */
};

static void
flush_run(struct walk *w)
{
    size_t n = (size_t)(w->p - w->run);

    if (w->to != NULL && n > 0)
        memcpy(w->to + w->size, w->run, n);
    w->size += n;
}

static inline bool
is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void
skip_space(struct walk *w)
{
    if (likely(w->p == w->end || !is_space(*w->p)))
        return;
    flush_run(w);
    while (w->p < w->end && is_space(*w->p))
        w->p++;
    w->run = w->p;
}

static inline bool
in_object(const struct walk *w)
{
    unsigned top = w->depth - 1;

    return (w->objects[top / 64] >> top % 64 & 1) != 0;
}

static bool
open_bracket(struct walk *w, bool object)
{
    uint64_t bit;

    if (w->depth == JSON_DEPTH_MAX)
        return false;
    bit = UINT64_C(1) << w->depth % 64;
    if (object)
        w->objects[w->depth / 64] |= bit;
    else
        w->objects[w->depth / 64] &= ~bit;
    w->depth++;
    w->p++;
    w->want = object ? WANT_FIRST_KEY : WANT_FIRST_VALUE;
    return true;
}

static inline bool
close_bracket(struct walk *w)
{
    w->depth--;
    w->p++;
    w->want = WANT_MORE;
    return true;
}

static bool
is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* At a backslash. */
static bool
walk_escape(struct walk *w)
{
    const unsigned char *p = w->p + 1;
    int i;

    if (p == w->end)
        return false;
    if (*p++ != 'u') {
        w->p = p;
        return memchr("\"\\/bfnrt", p[-1], 8) != NULL;
    }
    if (w->end - p < 4)
        return false;
    for (i = 0; i < 4; i++) {
        if (!is_hex(*p++))
            return false;
    }
    w->p = p;
    return true;
}

/* At the opening quote. */
static bool
walk_string(struct walk *w)
{
    w->p++;
    while (w->p < w->end) {
        unsigned char c;
        int n;

        if (w->end - w->p >= 8) {
            uint64_t special = scan_special(scan_load(w->p));

            if (special == 0) {
                w->p += 8;
                continue;
            }
            w->p += scan_first(special);
        }
        c = *w->p;
        if (c == '"') {
            w->p++;
            return true;
        }
        if (c == '\\') {
            if (!walk_escape(w))
                return false;
        } else if (c < 0x20 || (n = utf8_step(w->p, w->end)) < 0) {
            return false;
        } else {
            w->p += n;
        }
    }
    return false;
}

static inline bool
skip_digits(struct walk *w)
{
    const unsigned char *from = w->p;

    while (w->p < w->end && *w->p >= '0' && *w->p <= '9')
        w->p++;
    return w->p > from;
}

static bool
walk_number(struct walk *w)
{
    if (*w->p == '-')
        w->p++;
    if (w->p < w->end && *w->p == '0')
        w->p++;
    else if (!skip_digits(w))
        return false;
    if (w->p < w->end && *w->p == '.') {
        w->p++;
        if (!skip_digits(w))
            return false;
    }
    if (w->p < w->end && (*w->p | 0x20) == 'e') {
        w->p++;
        if (w->p < w->end && (*w->p == '+' || *w->p == '-'))
            w->p++;
        return skip_digits(w);
    }
    return true;
}

static bool
walk_word(struct walk *w, struct span word)
{
    if ((size_t)(w->end - w->p) < word.n || memcmp(w->p, word.p, word.n) != 0)
        return false;
    w->p += word.n;
    return true;
}

static bool
walk_value(struct walk *w)
{
    w->want = WANT_MORE;
    switch (*w->p) {
    case '"':
        return walk_string(w);
    case '{':
        return open_bracket(w, true);
    case '[':
        return open_bracket(w, false);
    case 't':
        return walk_word(w, SPAN("true"));
    case 'f':
        return walk_word(w, SPAN("false"));
    case 'n':
        return walk_word(w, SPAN("null"));
    default:
        return walk_number(w);
    }
}

static bool
walk_more(struct walk *w)
{
    unsigned char c = *w->p;

    if (w->depth == 0)
        return false; /* something after the text */
    if (c == ',') {
        w->p++;
        w->want = in_object(w) ? WANT_KEY : WANT_VALUE;
        return true;
    }
    return c == (in_object(w) ? '}' : ']') && close_bracket(w);
}

/* One token; there is at least one byte. */
static bool
walk_token(struct walk *w)
{
    switch (w->want) {
    case WANT_FIRST_VALUE:
        if (*w->p == ']')
            return close_bracket(w);
        return walk_value(w);
    case WANT_VALUE:
        return walk_value(w);
    case WANT_FIRST_KEY:
        if (*w->p == '}')
            return close_bracket(w);
        /* fall through */
    case WANT_KEY:
        w->want = WANT_COLON;
        return *w->p == '"' && walk_string(w);
    case WANT_COLON:
        w->want = WANT_VALUE;
        return *w->p++ == ':';
    case WANT_MORE:
        return walk_more(w);
    }
    return false;
}

bool
json_put_compact(char *to, struct span s, size_t *size)
{
    struct walk w = { 0 };

    if (s.n == 0)
        return false;
    w.p = w.run = (const unsigned char *)s.p;
    w.end = w.p + s.n;
    w.to = to;
    w.want = WANT_VALUE;
    for (skip_space(&w); w.p < w.end; skip_space(&w)) {
        if (!walk_token(&w))
            return false;
    }
    if (w.want != WANT_MORE || w.depth > 0)
        return false;
    flush_run(&w);
    *size = w.size;
    return true;
}
