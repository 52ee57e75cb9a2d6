/*
 * protocol.c - choosing a dialect, and the parser's room for words.
 */
#include "server/protocol/protocol.h"

#include "server/protocol/native.h"

#include <stdlib.h>

#define WORDS_MIN 128

void
parser_init(struct parser *p, const struct protocol_limits *limits)
{
    memset(p, 0, sizeof(*p));
    p->limits = *limits;
}

void
parser_fini(struct parser *p)
{
    free(p->keys.at);
    free(p->fields.at);
    free(p->args.at);
    buf_fini(&p->text);
    memset(p, 0, sizeof(*p));
}

void
parser_begin(struct parser *p)
{
    p->keys.n = p->fields.n = p->args.n = 0;
    buf_clear(&p->text);
}

bool
words_grow(struct words *words)
{
    size_t cap = words->cap == 0 ? WORDS_MIN : words->cap * 2;
    struct span *at = realloc(words->at, cap * sizeof(*at));

    if (at == NULL)
        return false;
    words->at = at;
    words->cap = cap;
    return true;
}

void
parser_finish(const struct parser *p, struct command *out)
{
    out->keys = p->keys.at;
    out->nkeys = p->keys.n;
    out->fields = p->fields.at;
    out->nfields = p->fields.n;
    out->args = p->args.at;
    out->nargs = p->args.n;
}

void
command_refuse(struct command *out, enum command_error error, const char *text)
{
    out->kind = COMMAND_ERROR;
    out->error = error;
    out->error_text = text;
    out->answer = native_answer;
    out->nkeys = out->nfields = out->nargs = 0;
}

bool
command_refuse_busy(struct command *out)
{
    if (out->answer != native_answer)
        return false;
    command_refuse(out, COMMAND_ERROR_BUSY, "the server holds limits.memory already");
    return true;
}

bool
protocol_is_http(struct span line)
{
    struct span mark = SPAN(" HTTP/1.");

    return line.n > mark.n + 1 &&
           memcmp(line.p + line.n - mark.n - 1, mark.p, mark.n) == 0;
}

/* '*' begins a RESP array, a capital letter one of its inline commands (real memcached
 * answers those with ERROR, so no memcached client sends them). */
static bool
is_resp_start(char c)
{
    return c == '*' || (c >= 'A' && c <= 'Z');
}

const struct protocol *
protocol_detect(struct session *s, struct span input)
{
    if (!s->resp && s->swallow == 0 && is_resp_start(input.p[0]))
        s->resp = true;
    return s->resp ? &protocol_resp : &protocol_text;
}
