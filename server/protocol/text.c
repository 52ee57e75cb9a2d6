/*
 * text.c - lines become verbs with arguments.
 *
 * Owns: framing by lines, tags, and looking a verb up.  A line ends in LF or CRLF; blanks
 * (space, tab) may lead, trail and be repeated.
 * Promise: whatever comes in, a line gives one command, one ERROR, or nothing when it is
 * empty; only a line without an end costs the connection.
 */
#include "server/protocol/text.h"

#include "common/scan.h"
#include "server/protocol/native.h"

static const struct verb_table *const tables[] = { &native_verbs, &memcached_verbs };

/* --- words -------------------------------------------------------------------- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool
text_next_word(struct span *rest, struct span *word)
{
    size_t i = 0, from;

    while (i < rest->n && is_blank(rest->p[i]))
        i++;
    from = i;
    while (i < rest->n && !is_blank(rest->p[i]))
        i++;
    *word = span_of(rest->p + from, i - from);
    *rest = span_of(rest->p + i, rest->n - i);
    return word->n > 0;
}

bool
text_has_control(struct span s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

/* Where blanks are in eight bytes; notes whether one is there that no key may hold. */
static inline uint64_t
eight_blanks(struct text_words *t, uint64_t eight)
{
    uint64_t blank = scan_equal(eight, ' ') | scan_equal(eight, '\t');

    t->odd |= scan_not_key(eight) ^ blank;
    return scan_bits(blank);
}

/* The same in 'n' times eight. */
static inline uint64_t
block_blanks(struct text_words *t, const char *p, size_t n)
{
    uint64_t blanks = 0;
    size_t k;

    for (k = 0; k < n; k++)
        blanks |= eight_blanks(t, scan_load(p + 8 * k)) << 8 * k;
    return blanks;
}

/* The last block of a line: behind its 'n' bytes are blanks. */
static uint64_t
end_blanks(struct text_words *t, const char *p, size_t n)
{
    size_t whole = n / 8 * 8, few = n - whole;
    uint64_t blanks = block_blanks(t, p, n / 8) | ~(uint64_t)0 << n;

    if (few > 0)
        blanks |=
            eight_blanks(t, scan_load_few(p + whole, few) | SCAN_EVERY(' ') << 8 * few)
            << whole;
    return blanks;
}

bool
text_words_more(struct text_words *t)
{
    size_t left = t->line.n - t->next;
    const char *p = t->line.p + t->next;
    uint64_t blanks;

    if (left == 0 && !t->in_word)
        return false;
    t->block = t->next;
    if (left >= TEXT_BLOCK) {
        blanks = block_blanks(t, p, TEXT_BLOCK / 8);
        t->next += TEXT_BLOCK;
    } else {
        blanks = end_blanks(t, p, left);
        t->next += left;
    }
    /* A word begins or ends where a byte differs from the one before. */
    t->edges = blanks ^ (blanks << 1 | !t->in_word);
    return true;
}

/* --- lines ----------------------------------------------------------------------- */

static bool
is_tag_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
take_tag(struct span word, struct command *out)
{
    size_t i;

    if (word.n < 2 || word.n > COMMAND_TAG_MAX + 1)
        return false;
    for (i = 1; i < word.n; i++) {
        if (!is_tag_char(word.p[i]))
            return false;
    }
    out->tag_len = (unsigned)word.n - 1;
    memcpy(out->tag, word.p + 1, word.n - 1);
    return true;
}

static const struct verb *
find_verb(struct span word)
{
    size_t t, i;

    for (t = 0; t < ARRAY_LEN(tables); t++) {
        for (i = 0; i < tables[t]->n; i++) {
            if (span_equal(word, span_str(tables[t]->verbs[i].name)))
                return &tables[t]->verbs[i];
        }
    }
    return NULL;
}

static void
parse_verb(struct parser *p, struct session *s, struct span word, struct span rest,
           struct command *out)
{
    const struct verb *verb = find_verb(word);

    if (verb != NULL) {
        out->kind = verb->kind;
        out->verb = verb->number;
        out->answer = verb->answer;
        verb->arguments(p, s, rest, out);
    } else if (word.p[0] >= 'a' && word.p[0] <= 'z') {
        command_refuse(out, COMMAND_ERROR_UNKNOWN, "");
    } else {
        command_refuse(out, COMMAND_ERROR_SYNTAX, "expected a lower-case verb; try help");
    }
}

static void
parse_line(struct parser *p, struct session *s, struct span rest, struct command *out)
{
    struct span word;

    if (!text_next_word(&rest, &word))
        return;
    if (word.p[0] == '#') {
        if (!take_tag(word, out)) {
            command_refuse(out, COMMAND_ERROR_SYNTAX,
                           "expected # and 1 to 16 letters or digits as a tag");
            return;
        }
        if (!text_next_word(&rest, &word)) {
            command_refuse(out, COMMAND_ERROR_SYNTAX, "expected a verb after the tag");
            return;
        }
    }
    parse_verb(p, s, word, rest, out);
}

static bool
is_empty(struct span line)
{
    struct span word;

    return !text_next_word(&line, &word);
}

/* Could this byte begin a line of anybody who speaks text? */
static bool
is_text_start(char c)
{
    return (c > 0x20 && c < 0x7f) || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A line that never ends: whoever tagged it still hears which one it was. */
static enum parse_verdict
refuse_line(struct session *s, struct span input, size_t *consumed, struct command *out)
{
    struct span rest = input, word;

    command_refuse(out, COMMAND_ERROR_TOOLONG, "the line is longer than limits.line");
    if (text_next_word(&rest, &word) && word.p[0] == '#' && !take_tag(word, out))
        out->tag_len = 0; /* it is none */
    out->close = true;
    *consumed = input.n;
    s->scanned = 0;
    return PARSE_COMMAND;
}

static enum parse_verdict
text_parse(struct parser *p, struct session *s, struct span input, size_t *consumed,
           struct command *out)
{
    struct span line;
    const char *end;
    size_t n;

    *consumed = 0;
    memset(out, 0, sizeof(*out));
    out->error_text = "";
    parser_begin(p);
    if (s->swallow > 0)
        return memcached_block(p, s, input, consumed, out);
    if (!is_text_start(input.p[0]))
        return PARSE_CLOSE;
    end = memchr(input.p + s->scanned, '\n', input.n - s->scanned);
    n = end == NULL ? input.n : (size_t)(end - input.p);
    if (n > p->limits.line_max_bytes)
        return refuse_line(s, input, consumed, out);
    if (end == NULL) {
        s->scanned = input.n;
        return PARSE_MORE;
    }
    *consumed = n + 1;
    s->scanned = 0;
    line = span_of(input.p, n > 0 && input.p[n - 1] == '\r' ? n - 1 : n);
    if (is_empty(line))
        return PARSE_NOTHING;
    if (protocol_is_http(line))
        return PARSE_CLOSE;
    parse_line(p, s, line, out);
    if (out->kind == COMMAND_ERROR)
        parser_begin(p); /* nothing is looked up for a request that is wrong */
    else if (s->swallow > 0)
        return PARSE_NOTHING; /* its data block comes first */
    parser_finish(p, out);
    return PARSE_COMMAND;
}

const struct protocol protocol_text = {
    .name = "text",
    .parse = text_parse,
};
