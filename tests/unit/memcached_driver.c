/*
 * memcached_driver.c - a conversation in memcached's dialect without sockets.
 */
#include "tests/unit/memcached_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct item_result
look_up(struct span key)
{
    struct item_result r = { key, SPAN(DRIVER_ITEM), ITEM_FOUND, 0, 0 };

    if (key.p[0] == 'o')
        r.status = ITEM_STALE;
    if (key.p[0] == 'm' || key.p[0] == 'x') {
        r.status = key.p[0] == 'm' ? ITEM_MISS : ITEM_FAIL_TIMEOUT;
        r.json = span_of(NULL, 0);
    }
    return r;
}

static void
answer(struct conversation *conversation, const struct command *c)
{
    struct talk *t = (struct talk *)conversation;
    struct item_result *results = calloc(c->nkeys + 1, sizeof(*results));
    struct reply reply = { .results = results, .nresults = c->nkeys, .last = c->nkeys };
    size_t i;

    assert_non_null(results);
    for (i = 0; i < c->nkeys; i++)
        results[i] = look_up(c->keys[i]);
    reply.session = &conversation->session;
    reply.max_connections = 1000;
    reply.denied = t->denied;
    reply.forgotten = c->nkeys > 0 && c->keys[0].p[0] == 'o' ? 1 : 0;
    if (c->kind == COMMAND_FETCH) {
        t->fetches++;
        t->keys = c->nkeys;
    }
    c->answer(&conversation->said, c, &reply);
    free(results);
}

void
talk_init(struct talk *t, unsigned ids_max)
{
    memset(t, 0, sizeof(*t));
    conversation_init(&t->conversation, 1 << 20, ids_max);
    t->conversation.take = answer;
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
        conversation_feed(&t.conversation, span_of(asked.p + at, n));
    }
    assert_string_equal(conversation_said(&t.conversation), answered);
    conversation_fini(&t.conversation);
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

void
talk_expect_denied(const char *asked, const char *answered)
{
    struct talk t;

    talk_init(&t, 100);
    t.denied = true;
    conversation_feed(&t.conversation, span_str(asked));
    assert_string_equal(conversation_said(&t.conversation), answered);
    conversation_fini(&t.conversation);
}
