/*
 * native_driver.c - feeds bytes to a dialect as a connection does, and writes down what
 * came of them:
 *
 *     fetch <a> <b>         #tag fetch deadline=5 <a>         ping
 *     fetch fresh done trace as=map fields=<a><b> <1>         invalidate <1> <2>
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
    [COMMAND_FLUSH] = "flush",
    [COMMAND_QUIT] = "quit",
    [COMMAND_LOCAL] = "local",
    [COMMAND_ERROR] = "error",
};

static const char *const error_names[] = {
    [COMMAND_ERROR_UNKNOWN] = " unknown", [COMMAND_ERROR_SYNTAX] = " syntax",
    [COMMAND_ERROR_OPTION] = " option",   [COMMAND_ERROR_TOOMANY] = " toomany",
    [COMMAND_ERROR_TOOLONG] = " toolong",
};

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
driver_note(struct conversation *talk, const struct command *c)
{
    struct buf *out = &talk->said;
    size_t i;

    if (c->tag_len > 0)
        buf_append_fmt(out, "#%.*s ", (int)c->tag_len, c->tag);
    buf_append_span(out, span_str(kind_names[c->kind]));
    if (c->kind == COMMAND_ERROR)
        buf_append_span(out, span_str(error_names[c->error]));
    if (c->close)
        BUF_APPEND_LIT(out, " close");
    if (c->kind == COMMAND_FETCH)
        note_options(out, c);
    else
        assert_int_equal(c->nfields, 0);
    for (i = 0; i < c->nkeys; i++) {
        BUF_APPEND_LIT(out, " <");
        buf_append_span(out, c->keys[i]);
        BUF_APPEND_LIT(out, ">");
    }
    for (i = 0; i < c->nargs; i++)
        buf_append_fmt(out, " (%.*s)", SPAN_FMT(c->args[i]));
    BUF_APPEND_LIT(out, "\n");
}

void
driver_init(struct conversation *c, size_t line_max_bytes, unsigned ids_max)
{
    conversation_init(c, line_max_bytes, ids_max);
    c->hangup = "hangup\n";
    c->take = driver_note;
}
