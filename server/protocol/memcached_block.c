/*
 * memcached_block.c - data blocks: bytes that nobody wants.
 *
 * Owns: the time between "set key 0 0 <bytes>" and the last of those bytes.  They are
 * counted, not kept; of the block only its last two bytes matter, which must be CRLF.
 * Promise: the bytes of a block are never read as requests, and the answer comes behind
 * the block; a block that does not end where it should costs one CLIENT_ERROR, and what
 * follows is read as the next line, as memcached does.
 */
#include "server/protocol/memcached.h"

#include <assert.h>

/* Appends to what the session holds. */
static size_t
held_add(struct session *s, size_t at, struct span bytes)
{
    assert(at + bytes.n <= SESSION_HELD_MAX);
    if (bytes.n > 0)
        memmove(s->held + at, bytes.p, bytes.n);
    return at + bytes.n;
}

void
memcached_hold(struct memcached_line *l, size_t length, struct span key,
               const struct span *words, size_t n)
{
    struct session *s = l->session;
    size_t at, i;

    s->swallow = length + 2;
    s->swallow_bad = false;
    s->held_verb = l->out->verb;
    s->held_flags = l->out->flags;
    at = s->held_key_len = held_add(s, 0, key);
    for (i = 0; i < n; i++)
        at = held_add(s, held_add(s, at, words[i]), SPAN(" "));
    s->held_len = at;
}

void
memcached_drop(struct memcached_line *l, size_t length)
{
    l->session->swallow = length + 2;
    l->session->held_verb = MEMCACHED_NONE;
}

/* Do the last two bytes of the block, if they are among these, end it properly? */
static void
check_end(struct session *s, struct span input)
{
    size_t left = s->swallow;

    if (left >= 2 && left - 2 < input.n && input.p[left - 2] != '\r')
        s->swallow_bad = true;
    if (left - 1 < input.n && input.p[left - 1] != '\n')
        s->swallow_bad = true;
}

static void
resume_meta_set(struct memcached_line *l)
{
    const struct session *s = l->session;
    struct span rest = span_of(s->held + s->held_key_len, s->held_len - s->held_key_len);
    struct span word;

    l->out->kind = COMMAND_LOCAL;
    l->out->answer = memcached_answer_meta_status;
    while (text_next_word(&rest, &word)) {
        if (!words_add(&l->parser->args, 0, word)) {
            memcached_refuse(l, "SERVER_ERROR out of memory");
            return;
        }
    }
    if ((l->out->flags & MEMCACHED_MATCH) != 0 &&
        !memcached_look_up(l, span_of(s->held, s->held_key_len)))
        return; /* and said so */
}

/* The block is over: what the line before it asked. */
static void
resume(struct memcached_line *l)
{
    struct session *s = l->session;

    l->out->verb = s->held_verb;
    l->out->flags = s->held_flags;
    if (s->swallow_bad) {
        if (s->held_verb == MEMCACHED_MS)
            l->out->flags = 0; /* q hides good news only */
        memcached_refuse(l, "CLIENT_ERROR bad data chunk");
    } else if (s->held_verb == MEMCACHED_MS) {
        resume_meta_set(l);
    } else if (s->held_verb == MEMCACHED_CAS) {
        l->out->answer = memcached_answer_exists;
        if (!memcached_look_up(l, span_of(s->held, s->held_key_len)))
            return; /* and said so */
    } else {
        memcached_say(l, "NOT_STORED");
    }
}

enum parse_verdict
memcached_block(struct parser *p, struct session *s, struct span input, size_t *consumed,
                struct command *out)
{
    struct memcached_line l = { .parser = p, .session = s, .out = out };

    check_end(s, input);
    *consumed = input.n < s->swallow ? input.n : s->swallow;
    s->swallow -= *consumed;
    if (s->swallow > 0 || s->held_verb == MEMCACHED_NONE)
        return PARSE_NOTHING;
    resume(&l);
    parser_finish(p, out);
    return PARSE_COMMAND;
}
