/*
 * memcached_driver.c - a conversation in memcached's dialect without sockets.
 */
#include "tests/unit/memcached_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void
talk_init(struct talk *t, unsigned ids_max)
{
    const struct protocol_limits limits = { 1 << 20, ids_max };

    memset(t, 0, sizeof(*t));
    parser_init(&t->parser, &limits);
    buf_init(&t->input, 0);
    buf_init(&t->said, 0);
}

void
talk_fini(struct talk *t)
{
    parser_fini(&t->parser);
    buf_fini(&t->input);
    buf_fini(&t->said);
}

static struct item_result
look_up(struct span key)
{
    struct item_result r = { key, SPAN(DRIVER_ITEM), ITEM_FOUND };

    if (key.p[0] == 'm' || key.p[0] == 'x') {
        r.status = key.p[0] == 'm' ? ITEM_MISS : ITEM_FAIL_TIMEOUT;
        r.json = span_of(NULL, 0);
    }
    return r;
}

static void
answer(struct talk *t, const struct command *c)
{
    struct item_result *results = calloc(c->nkeys + 1, sizeof(*results));
    struct reply reply = { .results = results, .nresults = c->nkeys };
    size_t i;

    assert_non_null(results);
    assert_int_equal(c->nkeys > 0, c->kind == COMMAND_FETCH);
    for (i = 0; i < c->nkeys; i++)
        results[i] = look_up(c->keys[i]);
    reply.session = &t->session;
    reply.max_connections = 1000;
    if (c->kind == COMMAND_FETCH) {
        t->fetches++;
        t->keys = c->nkeys;
    }
    c->answer(&t->said, c, &reply);
    free(results);
    t->closed = c->close || c->kind == COMMAND_QUIT;
}

/* One call of the dialect; false: it wants more. */
static bool
parse(struct talk *t, struct span rest, size_t *consumed)
{
    struct command command;

    *consumed = SIZE_MAX;
    switch (protocol_detect(&t->session, rest)
                ->parse(&t->parser, &t->session, rest, consumed, &command)) {
    case PARSE_MORE:
        assert_int_equal(*consumed, 0);
        return false;
    case PARSE_COMMAND:
        answer(t, &command);
        break;
    case PARSE_NOTHING:
        break;
    case PARSE_CLOSE:
        t->closed = true;
        return false;
    }
    assert_in_range(*consumed, 1, rest.n);
    return true;
}

void
talk_feed(struct talk *t, struct span bytes)
{
    size_t consumed;
    bool more = true;

    buf_append_span(&t->input, bytes);
    while (more && !t->closed && buf_size(&t->input) > 0) {
        struct span rest = buf_span(&t->input);
        char *exact = malloc(rest.n); /* ends where the bytes end */

        assert_non_null(exact);
        memcpy(exact, rest.p, rest.n);
        if ((more = parse(t, span_of(exact, rest.n), &consumed)))
            buf_consume(&t->input, consumed);
        free(exact);
    }
}

const char *
talk_said(struct talk *t)
{
    buf_append_char(&t->said, '\0');
    assert_false(buf_failed(&t->said));
    t->said.len--;
    return buf_span(&t->said).p;
}

/* In pieces of 'first' and then 'each' bytes. */
static void
expect_in_pieces(struct span asked, const char *answered, size_t first, size_t each)
{
    struct talk t;
    size_t at, n;

    talk_init(&t, 100);
    for (at = 0; at < asked.n; at += n) {
        n = at == 0 ? first : each;
        n = n < asked.n - at ? n : asked.n - at;
        talk_feed(&t, span_of(asked.p + at, n));
    }
    assert_string_equal(talk_said(&t), answered);
    talk_fini(&t);
}

void
talk_expect(const char *asked, const char *answered)
{
    struct span whole = span_str(asked);
    size_t at;

    for (at = whole.n; at > 0; at--)
        expect_in_pieces(whole, answered, at, whole.n);
    expect_in_pieces(whole, answered, 1, 1);
}
