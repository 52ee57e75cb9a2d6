/*
 * native_driver.c - feeds bytes to a dialect as a connection does, and writes down what
 * came of them:
 *
 *     fetch <a> <b>         #tag fetch deadline=5 <a>         ping
 *     fetch fresh done trace as=map fields=<a><b> <1>         invalidate (1) (2)
 *     error syntax          #tag error unknown                error toolong close
 *     hangup
 */
#include "tests/unit/native_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const kind_names[] = {
    [COMMAND_FETCH] = "fetch",
    [COMMAND_PING] = "ping",
    [COMMAND_HELP] = "help",
    [COMMAND_SOURCES] = "sources",
    [COMMAND_VERSION] = "version",
    [COMMAND_STATS] = "stats",
    [COMMAND_STATS_WORKERS] = "stats workers",
    [COMMAND_INVALIDATE] = "invalidate",
    [COMMAND_QUIT] = "quit",
    [COMMAND_LOCAL] = "local",
    [COMMAND_ERROR] = "error",
};

static const char *const error_names[] = {
    [COMMAND_ERROR_UNKNOWN] = " unknown", [COMMAND_ERROR_SYNTAX] = " syntax",
    [COMMAND_ERROR_OPTION] = " option",   [COMMAND_ERROR_TOOMANY] = " toomany",
    [COMMAND_ERROR_TOOLONG] = " toolong",
};

void
driver_init(struct driver *d, size_t line_max_bytes, unsigned ids_max)
{
    const struct protocol_limits limits = { line_max_bytes, ids_max };

    memset(d, 0, sizeof(*d));
    parser_init(&d->parser, &limits);
    buf_init(&d->input, 0);
    buf_init(&d->said, 0);
}

void
driver_fini(struct driver *d)
{
    parser_fini(&d->parser);
    buf_fini(&d->input);
    buf_fini(&d->said);
}

static void
note_options(struct buf *out, const struct command *c)
{
    static const char *const layouts[] = { [LAYOUT_LINES] = "",
                                           [LAYOUT_ARRAY] = " as=array",
                                           [LAYOUT_MAP] = " as=map",
                                           [LAYOUT_COLUMNS] = " as=columns" };
    size_t i;

    if (c->deadline_ms != 0)
        buf_append_fmt(out, " deadline=%u", c->deadline_ms);
    buf_append_fmt(out, "%s%s%s%s", c->fresh ? " fresh" : "", c->as_done ? " done" : "",
                   c->trace ? " trace" : "", layouts[c->layout]);
    assert_int_equal(c->fields_must_exist, c->nfields > 0);
    for (i = 0; i < c->nfields; i++)
        buf_append_fmt(out, "%s<%.*s>", i == 0 ? " fields=" : "", SPAN_FMT(c->fields[i]));
}

static void
driver_note(struct driver *d, const struct command *c)
{
    struct buf *out = &d->said;
    size_t i;

    if (c->tag_len > 0)
        buf_append_fmt(out, "#%.*s ", (int)c->tag_len, c->tag);
    buf_append_span(out, span_str(kind_names[c->kind]));
    assert_non_null(c->error_text);
    if (c->kind == COMMAND_ERROR)
        buf_append_span(out, span_str(error_names[c->error]));
    if (c->close)
        BUF_APPEND_LIT(out, " close");
    if (c->kind == COMMAND_FETCH)
        note_options(out, c);
    else
        assert_int_equal(c->nfields, 0);
    assert_int_equal(c->nkeys > 0, c->kind == COMMAND_FETCH);
    for (i = 0; i < c->nkeys; i++) {
        BUF_APPEND_LIT(out, " <");
        buf_append_span(out, c->keys[i]);
        BUF_APPEND_LIT(out, ">");
    }
    for (i = 0; i < c->nargs; i++)
        buf_append_fmt(out, " (%.*s)", SPAN_FMT(c->args[i]));
    BUF_APPEND_LIT(out, "\n");
    d->closed = c->close || c->kind == COMMAND_QUIT;
}

/* One call of the dialect; false: it wants more. */
static bool
driver_parse(struct driver *d, struct span rest, size_t *consumed)
{
    const struct protocol *protocol = protocol_detect(&d->session, rest);
    struct command command;

    *consumed = SIZE_MAX;
    switch (protocol->parse(&d->parser, &d->session, rest, consumed, &command)) {
    case PARSE_MORE:
        assert_int_equal(*consumed, 0);
        assert_int_equal(d->session.scanned, rest.n); /* no byte is searched twice */
        return false;
    case PARSE_COMMAND:
        driver_note(d, &command);
        break;
    case PARSE_NOTHING:
        break;
    case PARSE_CLOSE:
        BUF_APPEND_LIT(&d->said, "hangup\n");
        d->closed = true;
        return true;
    }
    assert_in_range(*consumed, 1, rest.n);
    assert_int_equal(d->session.scanned, 0);
    return true;
}

void
driver_feed(struct driver *d, struct span bytes)
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
        more = driver_parse(d, span_of(exact, rest.n), &consumed);
        free(exact);
        if (more && !d->closed)
            buf_consume(&d->input, consumed);
    }
}

const char *
driver_said(struct driver *d)
{
    buf_append_char(&d->said, '\0');
    assert_false(buf_failed(&d->said));
    d->said.len--;
    return buf_span(&d->said).p;
}
