/*
 * fuzz_driver.c - a conversation of any bytes, whole and in pieces.
 *
 * Everything a command holds is written down, each answer is rendered too, and the two
 * records must be equal.  Each call of the dialect sees a block that ends where the
 * bytes end, so that AddressSanitizer finds whoever looks further.
 *
 *     bytes --whole-----------> record A
 *     bytes --cut by 4 bytes--> record B     A == B
 *     bytes --one by one------> record C     A == C (short ones)
 */
#include "tests/fuzz/fuzz_driver.h"

#include "server/stats/scoreboard.h"

#include <stdio.h>
#include <stdlib.h>

/* Small, so that short inputs reach the limits. */
#define LINE_MAX_BYTES 512
#define IDS_MAX 20

/* Longer inputs are not fed byte by byte. */
#define SINGLES_MAX 300

struct talk {
    fuzz_choose *choose;
    struct parser parser;
    struct session session;
    struct buf input;
    struct buf record;
    bool closed;
};

static struct scoreboard *board;

static void
demand(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "broken promise: %s\n", what);
    abort();
}

/* --- the record ---------------------------------------------------------------------- */

static void
note_words(struct buf *record, const char *what, const struct span *words, size_t n)
{
    size_t i;

    buf_append_fmt(record, " %s=%zu", what, n);
    for (i = 0; i < n; i++) {
        buf_append_fmt(record, " %zu:", words[i].n);
        buf_append_span(record, words[i]);
    }
}

static void
note_command(struct buf *record, const struct command *c)
{
    demand(c->error_text != NULL, "a command has an error text, if only an empty one");
    demand(c->answer != NULL, "a command knows how it is answered");
    demand(c->tag_len <= COMMAND_TAG_MAX, "a tag fits in its place");
    demand(c->nkeys <= IDS_MAX, "a command holds no more keys than allowed");
    demand(c->kind == COMMAND_FETCH || c->kind == COMMAND_INVALIDATE || c->nkeys == 0,
           "only these two take keys");
    demand(c->kind != COMMAND_FETCH || c->nkeys > 0, "a fetch has a key");
    buf_append_fmt(record, "kind=%d error=%d:%s close=%d tag=%.*s deadline=%u layout=%d",
                   (int)c->kind, (int)c->error, c->error_text, c->close, (int)c->tag_len,
                   c->tag, c->deadline_ms, (int)c->layout);
    buf_append_fmt(record, " done=%d trace=%d fresh=%d exist=%d verb=%u flags=%u",
                   c->as_done, c->trace, c->fresh, c->fields_must_exist, c->verb,
                   c->flags);
    note_words(record, "keys", c->keys, c->nkeys);
    note_words(record, "fields", c->fields, c->nfields);
    note_words(record, "args", c->args, c->nargs);
    buf_append_char(record, '\n');
}

/* --- answers ------------------------------------------------------------------------- */

static void
no_sources(void *arg, void (*line)(struct buf *out, struct span text), struct buf *out)
{
    (void)arg;
    line(out, SPAN("items table key=id"));
}

/* Says it all in parts of 'full' bytes; 0: in one. */
static void
answer_in_parts(struct buf *out, const struct command *c, struct reply *reply,
                size_t full)
{
    struct buf part = BUF_INIT;
    void *kept = NULL;
    size_t next = 0;

    reply->next = &next;
    reply->kept = &kept;
    reply->full = full;
    while (next != SIZE_MAX) {
        reply->first = next;
        next = SIZE_MAX;
        buf_clear(&part);
        c->answer(&part, c, reply);
        demand(!buf_failed(&part), "an answer is made");
        buf_append_span(out, buf_span(&part));
    }
    buf_fini(&part);
    free(kept);
}

/* Renders the answer as the worker does; keys take turns at every status. */
static void
answer(struct talk *t, const struct command *c)
{
    struct item_result results[IDS_MAX];
    struct item_trace traces[IDS_MAX];
    struct reply reply = {
        .results = results,
        .nresults = c->nkeys,
        .last = c->nkeys,
        .traces = c->trace ? traces : NULL,
        .session = &t->session,
        .board = board,
        .now = USEC_PER_SEC,
        .max_connections = 1000,
        .each_source = no_sources,
    };
    struct session before = t->session; /* some answers change it */
    struct buf out = BUF_INIT, again = BUF_INIT;
    size_t i;

    for (i = 0; i < c->nkeys; i++) {
        enum item_status status = (enum item_status)(1 + i % (ITEM_NSTATUSES - 1));

        results[i] = (struct item_result){ c->keys[i], { NULL, 0 }, status, 1500, 0 };
        if (item_present(status))
            results[i].json =
                SPAN("{\"id\":7,\"name\":\"a\\\"b\",\"attrs\":{\"c\":[1]}}");
        traces[i] = (struct item_trace){ .source = "items",
                                         .origin = ITEM_FROM_SOURCE,
                                         .wait_us = 1 };
    }
    answer_in_parts(&out, c, &reply, 0);
    if (c->nkeys > 0) {
        t->session = before;
        answer_in_parts(&again, c, &reply, 16);
        demand(span_equal(buf_span(&out), buf_span(&again)), "parts make up the whole");
    }
    buf_fini(&out);
    buf_fini(&again);
}

/* --- a conversation ------------------------------------------------------------------- */

/* One call of the dialect; false: it wants more. */
static bool
talk_parse(struct talk *t, struct span rest, size_t *consumed)
{
    struct command command;

    *consumed = SIZE_MAX;
    switch (t->choose(&t->session, rest)
                ->parse(&t->parser, &t->session, rest, consumed, &command)) {
    case PARSE_MORE:
        demand(*consumed == 0 || *consumed <= rest.n, "what is consumed was there");
        return *consumed > 0;
    case PARSE_COMMAND:
        note_command(&t->record, &command);
        answer(t, &command);
        t->closed = command.close || command.kind == COMMAND_QUIT;
        break;
    case PARSE_NOTHING:
        break;
    case PARSE_CLOSE:
        BUF_APPEND_LIT(&t->record, "hang up\n");
        t->closed = true;
        return true;
    }
    demand(*consumed > 0, "a request takes bytes");
    demand(*consumed <= rest.n, "what is consumed was there");
    return true;
}

static void
talk_feed(struct talk *t, struct span bytes)
{
    bool more = true;

    buf_append_span(&t->input, bytes);
    while (more && !t->closed && buf_size(&t->input) > 0) {
        struct span rest = buf_span(&t->input);
        char *exact = malloc(rest.n);
        size_t consumed;

        demand(exact != NULL, "there is memory");
        memcpy(exact, rest.p, rest.n);
        more = talk_parse(t, span_of(exact, rest.n), &consumed);
        free(exact);
        if (more && !t->closed)
            buf_consume(&t->input, consumed);
    }
}

static void
talk_open(struct talk *t, fuzz_choose *choose)
{
    const struct protocol_limits limits = { LINE_MAX_BYTES, IDS_MAX };

    memset(t, 0, sizeof(*t));
    t->choose = choose;
    t->session.id = 1;
    parser_init(&t->parser, &limits);
    buf_init(&t->input, 0);
    buf_init(&t->record, 0);
}

static void
talk_close(struct talk *t)
{
    parser_fini(&t->parser);
    buf_fini(&t->input);
    buf_fini(&t->record);
}

/* How many bytes a byte of 'cuts' stands for: the digit that it shows, 0 for many. */
static size_t
piece_size(uint8_t cut)
{
    return (cut & 0x0f) == 0 ? LINE_MAX_BYTES : cut & 0x0f;
}

/* In pieces of the sizes in 'cuts', over and over. */
static void
compare(const struct talk *whole, struct span bytes, const uint8_t *cuts, size_t ncuts)
{
    struct talk pieces;
    size_t at = 0, i, n;

    talk_open(&pieces, whole->choose);
    for (i = 0; at < bytes.n; i++, at += n) {
        n = piece_size(cuts[i % ncuts]);
        if (n > bytes.n - at)
            n = bytes.n - at;
        talk_feed(&pieces, span_of(bytes.p + at, n));
    }
    if (!span_equal(buf_span(&whole->record), buf_span(&pieces.record))) {
        fprintf(stderr, "whole:\n%.*s\npieces:\n%.*s\n",
                SPAN_FMT(buf_span(&whole->record)), SPAN_FMT(buf_span(&pieces.record)));
        demand(false, "the requests do not depend on how the bytes were split");
    }
    talk_close(&pieces);
}

const struct protocol *
fuzz_lines(struct session *s, struct span input)
{
    (void)s;
    (void)input;
    return &protocol_text;
}

int
fuzz_conversation(const uint8_t *data, size_t size, fuzz_choose *choose)
{
    static const uint8_t singles[] = { 1 };
    struct talk whole;
    struct span bytes;

    if (size < FUZZ_CUTS)
        return 0;
    if (board == NULL)
        demand((board = scoreboard_new(1)) != NULL, "there is memory");
    bytes = span_of((const char *)data + FUZZ_CUTS, size - FUZZ_CUTS);
    talk_open(&whole, choose);
    talk_feed(&whole, bytes);
    compare(&whole, bytes, data, FUZZ_CUTS);
    if (bytes.n <= SINGLES_MAX)
        compare(&whole, bytes, singles, 1);
    talk_close(&whole);
    return 0;
}
