/*
 * conversation.c - feeds bytes to a dialect as a connection does.
 */
#include "tests/unit/conversation.h"

#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void
conversation_init(struct conversation *c, size_t line_max_bytes, unsigned ids_max)
{
    const struct protocol_limits limits = { line_max_bytes, ids_max };

    memset(c, 0, sizeof(*c));
    parser_init(&c->parser, &limits);
    buf_init(&c->input, 0);
    buf_init(&c->said, 0);
    c->hangup = "";
}

void
conversation_fini(struct conversation *c)
{
    parser_fini(&c->parser);
    buf_fini(&c->input);
    buf_fini(&c->said);
}

/* One call of the dialect; false: it wants more. */
static bool
conversation_parse(struct conversation *c, struct span rest, size_t *consumed)
{
    struct session *s = &c->session;
    struct command command;

    *consumed = SIZE_MAX;
    switch (protocol_detect(s, rest)->parse(&c->parser, s, rest, consumed, &command)) {
    case PARSE_MORE:
        assert_int_equal(*consumed, 0);
        assert_int_equal(s->scanned, rest.n); /* no byte is searched twice */
        if (c->more != NULL)
            c->more(c, rest);
        return false;
    case PARSE_COMMAND:
        assert_non_null(command.error_text);
        assert_non_null(command.answer);
        assert_int_equal(command.nkeys > 0, command.kind == COMMAND_FETCH ||
                                                command.kind == COMMAND_INVALIDATE);
        c->take(c, &command);
        c->closed = command.close || command.kind == COMMAND_QUIT;
        break;
    case PARSE_NOTHING:
        break;
    case PARSE_CLOSE:
        buf_append_span(&c->said, span_str(c->hangup));
        c->closed = true;
        return true;
    }
    assert_in_range(*consumed, 1, rest.n);
    assert_int_equal(s->scanned + s->frame_at + s->frame_left + s->frame_bulk, 0);
    return true;
}

void
conversation_feed(struct conversation *c, struct span bytes)
{
    bool more = true;

    if (c->closed)
        return;
    buf_append_span(&c->input, bytes);
    while (more && !c->closed && buf_size(&c->input) > 0) {
        struct span exact = exact_copy(buf_span(&c->input));
        size_t consumed;

        more = conversation_parse(c, exact, &consumed);
        exact_free(exact);
        if (more && !c->closed)
            buf_consume(&c->input, consumed);
    }
}

const char *
conversation_said(struct conversation *c)
{
    buf_append_char(&c->said, '\0');
    assert_false(buf_failed(&c->said));
    c->said.len--;
    return buf_span(&c->said).p;
}

static struct conversation *
conversation_open(const struct conversation_kind *kind)
{
    struct conversation *c = calloc(1, kind->bytes);

    assert_non_null(c);
    kind->open(c);
    return c;
}

static void
conversation_close(struct conversation *c)
{
    conversation_fini(c);
    free(c);
}

static void
check_in_pieces(const struct conversation_kind *kind, struct span input,
                const size_t *cuts, size_t ncuts, const char *expected)
{
    struct conversation *c = conversation_open(kind);
    size_t from = 0, i;

    for (i = 0; i < ncuts; i++) {
        conversation_feed(c, span_of(input.p + from, cuts[i] - from));
        from = cuts[i];
    }
    conversation_feed(c, span_of(input.p + from, input.n - from));
    assert_string_equal(conversation_said(c), expected);
    conversation_close(c);
}

void
conversation_check_splits(const struct conversation_kind *kind, struct span input)
{
    size_t cuts[2048], at, size, n;
    struct conversation *whole = conversation_open(kind);
    const char *expected;

    assert_true(input.n < ARRAY_LEN(cuts));
    conversation_feed(whole, input);
    expected = conversation_said(whole);
    for (at = 0; at <= input.n; at++)
        check_in_pieces(kind, input, &at, 1, expected);
    for (size = 1; size < 40; size++) {
        for (n = 0, at = size; at < input.n; at += size)
            cuts[n++] = at;
        check_in_pieces(kind, input, cuts, n, expected);
    }
    conversation_close(whole);
}
