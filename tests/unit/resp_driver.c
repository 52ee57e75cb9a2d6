/*
 * resp_driver.c - feeds bytes to RESP as a connection does.  Commands are written as
 *
 *     fetch <key> <key> [field]         local (argument)
 *     error -ERR the reply              error close -ERR the reply         hangup
 *
 * Replies are about items that the key names: "miss" is none, "timeout" one that did not
 * come in time, and so on; every other key has an item.
 */
#include "tests/unit/resp_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEM                                                                         \
    "{\"id\":7,\"name\":\"a\\n\\u00e9\",\"none\":null,\"attrs\":{\"color\":\"red\"," \
    "\"n\":[1,2]},\"price\":12.50,\"yes\":true}"

void
resp_driver_init(struct resp_driver *d, size_t line_max_bytes, unsigned ids_max)
{
    const struct protocol_limits limits = { line_max_bytes, ids_max };

    memset(d, 0, sizeof(*d));
    parser_init(&d->parser, &limits);
    buf_init(&d->input, 0);
    buf_init(&d->said, 0);
    d->session.resp = true;
    d->session.id = 42;
}

void
resp_driver_fini(struct resp_driver *d)
{
    parser_fini(&d->parser);
    buf_fini(&d->input);
    buf_fini(&d->said);
}

static void
note_words(struct buf *out, const struct span *words, size_t n, const char *brackets)
{
    size_t i;

    for (i = 0; i < n; i++) {
        buf_append_fmt(out, " %c", brackets[0]);
        buf_append_span(out, words[i]);
        buf_append_char(out, brackets[1]);
    }
}

static enum item_status
fate(struct span key)
{
    static const struct {
        const char *key;
        enum item_status status;
    } fates[] = {
        { "miss", ITEM_MISS },
        { "timeout", ITEM_FAIL_TIMEOUT },
        { "database", ITEM_FAIL_DATABASE },
        { "upstream", ITEM_FAIL_UPSTREAM },
        { "overload", ITEM_FAIL_OVERLOAD },
        { "badid", ITEM_FAIL_BADID },
        { "toobig", ITEM_FAIL_TOOBIG },
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(fates); i++) {
        if (span_equal(key, span_str(fates[i].key)))
            return fates[i].status;
    }
    return ITEM_FOUND;
}

static void
answer(struct resp_driver *d, const struct command *c)
{
    struct item_result results[8];
    struct reply reply = { .results = results,
                           .nresults = c->nkeys,
                           .session = &d->session,
                           .board = d->board,
                           .now = clock_now(),
                           .max_connections = 1000 };
    size_t i;

    assert_true(c->nkeys <= ARRAY_LEN(results));
    for (i = 0; i < c->nkeys; i++)
        results[i] = (struct item_result){ c->keys[i], SPAN(ITEM), fate(c->keys[i]) };
    c->answer(&d->said, c, &reply);
}

static void
note(struct resp_driver *d, const struct command *c)
{
    static const char *const kinds[] = {
        [COMMAND_FETCH] = "fetch", [COMMAND_LOCAL] = "local",
        [COMMAND_QUIT] = "quit",   [COMMAND_INVALIDATE] = "invalidate",
        [COMMAND_ERROR] = "error",
    };

    buf_append_span(&d->said, span_str(kinds[c->kind]));
    if (c->close)
        BUF_APPEND_LIT(&d->said, " close");
    if (c->kind == COMMAND_ERROR) {
        buf_append_char(&d->said, ' ');
        answer(d, c);
        return;
    }
    note_words(&d->said, c->keys, c->nkeys, "<>");
    note_words(&d->said, c->fields, c->nfields, "[]");
    note_words(&d->said, c->args, c->nargs, "()");
    BUF_APPEND_LIT(&d->said, "\n");
}

static void
take(struct resp_driver *d, const struct command *c)
{
    assert_non_null(c->error_text);
    assert_non_null(c->answer);
    assert_int_equal(c->nkeys > 0, c->kind == COMMAND_FETCH);
    if (d->answers)
        answer(d, c);
    else
        note(d, c);
    d->closed = c->close || c->kind == COMMAND_QUIT;
}

/* One call of the dialect; false: it wants more. */
static bool
parse(struct resp_driver *d, struct span rest, size_t *consumed)
{
    struct session *s = &d->session;
    struct command command;

    *consumed = SIZE_MAX;
    switch (protocol_resp.parse(&d->parser, s, rest, consumed, &command)) {
    case PARSE_MORE:
        assert_int_equal(*consumed, 0);
        assert_int_equal(s->scanned, rest.n); /* no byte is searched twice */
        if (rest.n - s->frame_at > d->most_pending)
            d->most_pending = rest.n - s->frame_at;
        return false;
    case PARSE_COMMAND:
        take(d, &command);
        break;
    case PARSE_NOTHING:
        break;
    case PARSE_CLOSE:
        BUF_APPEND_LIT(&d->said, "hangup\n");
        d->closed = true;
        return true;
    }
    assert_in_range(*consumed, 1, rest.n);
    assert_int_equal(s->scanned + s->frame_at + s->frame_left + s->frame_bulk, 0);
    return true;
}

void
resp_driver_feed(struct resp_driver *d, struct span bytes)
{
    bool more = true;

    if (d->closed)
        return;
    buf_append_span(&d->input, bytes);
    while (more && !d->closed && buf_size(&d->input) > 0) {
        struct span rest = buf_span(&d->input);
        char *exact = malloc(rest.n);
        size_t consumed;

        assert_non_null(exact);
        memcpy(exact, rest.p, rest.n);
        more = parse(d, span_of(exact, rest.n), &consumed);
        free(exact);
        if (more && !d->closed)
            buf_consume(&d->input, consumed);
    }
}

const char *
resp_driver_said(struct resp_driver *d)
{
    buf_append_char(&d->said, '\0');
    assert_false(buf_failed(&d->said));
    d->said.len--;
    return buf_span(&d->said).p;
}

void
resp_check_replies(const char *input, const char *expected)
{
    struct resp_driver d;

    resp_driver_init(&d, 100000, 100);
    d.answers = true;
    resp_driver_feed(&d, span_str(input));
    assert_string_equal(resp_driver_said(&d), expected);
    resp_driver_fini(&d);
}
