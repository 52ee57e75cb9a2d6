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
        { "old", ITEM_STALE },
        { "stale", ITEM_FAIL_STALE },
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
                           .last = c->nkeys,
                           .session = &d->talk.session,
                           .board = d->board,
                           .now = clock_now(),
                           .max_connections = 1000 };
    size_t i;

    assert_true(c->nkeys <= ARRAY_LEN(results));
    for (i = 0; i < c->nkeys; i++)
        results[i] =
            (struct item_result){ c->keys[i], SPAN(ITEM), fate(c->keys[i]), 0, 0 };
    c->answer(&d->talk.said, c, &reply);
}

static void
note(struct resp_driver *d, const struct command *c)
{
    static const char *const kinds[] = {
        [COMMAND_FETCH] = "fetch", [COMMAND_LOCAL] = "local",
        [COMMAND_QUIT] = "quit",   [COMMAND_INVALIDATE] = "invalidate",
        [COMMAND_ERROR] = "error",
    };

    buf_append_span(&d->talk.said, span_str(kinds[c->kind]));
    if (c->close)
        BUF_APPEND_LIT(&d->talk.said, " close");
    if (c->kind == COMMAND_ERROR) {
        buf_append_char(&d->talk.said, ' ');
        answer(d, c);
        return;
    }
    note_words(&d->talk.said, c->keys, c->nkeys, "<>");
    note_words(&d->talk.said, c->fields, c->nfields, "[]");
    note_words(&d->talk.said, c->args, c->nargs, "()");
    BUF_APPEND_LIT(&d->talk.said, "\n");
}

static void
take(struct conversation *talk, const struct command *c)
{
    struct resp_driver *d = (struct resp_driver *)talk;

    if (d->answers)
        answer(d, c);
    else
        note(d, c);
}

static void
note_pending(struct conversation *talk, struct span rest)
{
    struct resp_driver *d = (struct resp_driver *)talk;

    if (rest.n - talk->session.frame_at > d->most_pending)
        d->most_pending = rest.n - talk->session.frame_at;
}

void
resp_driver_init(struct resp_driver *d, size_t line_max_bytes, unsigned ids_max)
{
    memset(d, 0, sizeof(*d));
    conversation_init(&d->talk, line_max_bytes, ids_max);
    d->talk.hangup = "hangup\n";
    d->talk.take = take;
    d->talk.more = note_pending;
    d->talk.session.resp = true;
    d->talk.session.id = 42;
}

void
resp_check_commands(const char *input, size_t line_max_bytes, unsigned ids_max,
                    const char *expected)
{
    struct resp_driver d;

    resp_driver_init(&d, line_max_bytes, ids_max);
    conversation_feed(&d.talk, span_str(input));
    assert_string_equal(conversation_said(&d.talk), expected);
    conversation_fini(&d.talk);
}

void
resp_check_replies(const char *input, const char *expected)
{
    struct resp_driver d;

    resp_driver_init(&d, 100000, 100);
    d.answers = true;
    conversation_feed(&d.talk, span_str(input));
    assert_string_equal(conversation_said(&d.talk), expected);
    conversation_fini(&d.talk);
}
