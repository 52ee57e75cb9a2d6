/*
 * test_native_answer.c - results become lines, byte for byte.
 */
#include "server/protocol/native.h"

#include "server/stats/scoreboard.h"
#include "tests/unit/native_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct command
command(enum command_kind kind, const char *tag)
{
    struct command c = { .kind = kind, .error_text = "" };

    c.tag_len = (unsigned)strlen(tag);
    memcpy(c.tag, tag, c.tag_len);
    return c;
}

static void
assert_answer(const struct command *c, const struct reply *r, const char *expected)
{
    struct buf out = BUF_INIT;

    native_answer(&out, c, r);
    assert_false(buf_failed(&out));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

/* SPAN is no constant expression. */
#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
#define NO_JSON \
    {           \
        NULL, 0 \
    }

static const struct item_result results[] = {
    { TEXT("007"), TEXT("{\"id\":7}"), ITEM_FOUND, 0, 0 },
    { TEXT("tags:x"), NO_JSON, ITEM_MISS, 0, 0 },
    { TEXT("a"), NO_JSON, ITEM_FAIL_TIMEOUT, 0, 0 },
    { TEXT("b"), NO_JSON, ITEM_FAIL_DATABASE, 0, 0 },
    { TEXT("c"), NO_JSON, ITEM_FAIL_UPSTREAM, 0, 0 },
    { TEXT("d"), NO_JSON, ITEM_FAIL_OVERLOAD, 0, 0 },
    { TEXT("e"), NO_JSON, ITEM_FAIL_BADID, 0, 0 },
    { TEXT("f"), NO_JSON, ITEM_FAIL_TOOBIG, 0, 0 },
    { TEXT("007"), TEXT("{\"id\":7}"), ITEM_FOUND, 0, 0 },
    { TEXT("g"), TEXT("{\"id\":1,\"a\":2}"), ITEM_STALE, 61500, 0 },
    { TEXT("h"), NO_JSON, ITEM_FAIL_STALE, 0, 0 },
};

static void
native_answers_a_line_for_every_position(void **state)
{
    const struct reply r = { .results = results,
                             .nresults = ARRAY_LEN(results),
                             .last = ARRAY_LEN(results),
                             .elapsed = 12345 };
    struct command c = command(COMMAND_FETCH, "");

    (void)state;
    assert_answer(&c, &r,
                  "ITEM 007 {\"id\":7}\r\nMISS tags:x\r\nFAIL a timeout\r\n"
                  "FAIL b database\r\nFAIL c upstream\r\nFAIL d overload\r\n"
                  "FAIL e badid\r\nFAIL f toobig\r\nITEM 007 {\"id\":7}\r\n"
                  "STALE g 61500 {\"id\":1,\"a\":2}\r\nFAIL h stale\r\n"
                  "DONE 3 1 7 ms=12.345\r\n");
}

static void
native_puts_the_tag_on_every_line(void **state)
{
    const struct reply r = { .results = results, .nresults = 3, .last = 3, .elapsed = 7 };
    struct command c = command(COMMAND_FETCH, "0123456789abcdef");

    (void)state;
    assert_answer(&c, &r,
                  "#0123456789abcdef ITEM 007 {\"id\":7}\r\n"
                  "#0123456789abcdef MISS tags:x\r\n"
                  "#0123456789abcdef FAIL a timeout\r\n"
                  "#0123456789abcdef DONE 1 1 1 ms=0.007\r\n");
}

static void
native_shows_only_some_fields_of_an_old_item(void **state)
{
    const struct span fields[] = { SPAN("a") };
    const struct reply r = { .results = &results[9], .nresults = 1, .last = 1 };
    struct command c = command(COMMAND_FETCH, "t");

    (void)state;
    c.fields = fields;
    c.nfields = 1;
    assert_answer(&c, &r, "#t STALE g 61500 {\"a\":2}\r\n#t DONE 1 0 0 ms=0.000\r\n");
}

static void
native_tells_milliseconds_with_three_digits(void **state)
{
    static const struct {
        usec_t elapsed;
        const char *text;
    } rows[] = { { 0, "DONE 0 0 0 ms=0.000\r\n" },
                 { 9, "DONE 0 0 0 ms=0.009\r\n" },
                 { 90, "DONE 0 0 0 ms=0.090\r\n" },
                 { 999, "DONE 0 0 0 ms=0.999\r\n" },
                 { 1000, "DONE 0 0 0 ms=1.000\r\n" },
                 { 86400000010, "DONE 0 0 0 ms=86400000.010\r\n" } };
    struct command c = command(COMMAND_FETCH, "");
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = { .elapsed = rows[i].elapsed };

        assert_answer(&c, &r, rows[i].text);
    }
}

static void
native_answers_the_largest_items_and_keys(void **state)
{
    char key[COMMAND_KEY_MAX], *json = malloc(100000);
    struct item_result one = { span_of(key, sizeof(key)), span_of(json, 100000),
                               ITEM_FOUND, 0, 0 };
    const struct reply r = { .results = &one, .nresults = 1, .last = 1 };
    struct command c = command(COMMAND_FETCH, "0123456789abcdef");
    struct buf out = BUF_INIT;

    (void)state;
    assert_non_null(json);
    memset(key, 'k', sizeof(key));
    memset(json, 'j', 100000);
    native_answer(&out, &c, &r);
    assert_int_equal(buf_size(&out), strlen("#0123456789abcdef ITEM  \r\n") +
                                         sizeof(key) + 100000 +
                                         strlen("#0123456789abcdef DONE 1 0 0 ms=0.000"
                                                "\r\n"));
    buf_fini(&out);
    free(json);
}

static void
native_answers_single_lines(void **state)
{
    const struct reply r = { .now = 0 };
    struct command c = command(COMMAND_PING, "");

    (void)state;
    assert_answer(&c, &r, "PONG\r\n");
    c = command(COMMAND_PING, "a1");
    assert_answer(&c, &r, "#a1 PONG\r\n");
    c = command(COMMAND_VERSION, "");
    assert_answer(&c, &r, "VERSION 1.6.18\r\n");
    c = command(COMMAND_VERSION, "a1");
    assert_answer(&c, &r, "#a1 VERSION 1.6.18\r\n");
    c = command(COMMAND_QUIT, "");
    assert_answer(&c, &r, "");
}

static void
native_answers_errors_with_code_and_text(void **state)
{
    static const struct {
        enum command_error error;
        const char *text, *said;
    } rows[] = {
        { COMMAND_ERROR_UNKNOWN, "", "ERROR\r\n" },
        { COMMAND_ERROR_SYNTAX, "fetch needs a key",
          "ERROR syntax fetch needs a key\r\n" },
        { COMMAND_ERROR_OPTION, "unknown", "ERROR option unknown\r\n" },
        { COMMAND_ERROR_TOOMANY, "many %s", "ERROR toomany many %s\r\n" },
        { COMMAND_ERROR_TOOLONG, "long", "ERROR toolong long\r\n" },
    };
    const struct reply r = { .now = 0 };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct command c = command(COMMAND_ERROR, i % 2 == 0 ? "" : "t");
        char expected[80];

        c.error = rows[i].error;
        c.error_text = rows[i].text;
        snprintf(expected, sizeof(expected), "%s%s", i % 2 == 0 ? "" : "#t ",
                 rows[i].said);
        assert_answer(&c, &r, expected);
    }
}

/* --- answers of many lines ------------------------------------------------------------ */

static void
two_sources(void *arg, void (*line)(struct buf *out, struct span text), struct buf *out)
{
    (void)arg;
    line(out, SPAN("items table key=id"));
    line(out, SPAN("tags table key=name"));
}

static void
native_answers_sources_one_by_one(void **state)
{
    const struct reply r = { .each_source = two_sources };
    struct command c = command(COMMAND_SOURCES, "");

    (void)state;
    assert_answer(&c, &r,
                  "SOURCE items table key=id\r\nSOURCE tags table key=name\r\nEND\r\n");
    c = command(COMMAND_SOURCES, "t");
    assert_answer(&c, &r,
                  "#t SOURCE items table key=id\r\n#t SOURCE tags table key=name\r\n"
                  "#t END\r\n");
}

/* Every line of the tagged answer is "#t " and the line of the untagged one; but a
 * second may pass between the two. */
static void
assert_tagged_like_untagged(enum command_kind kind, const struct reply *r)
{
    struct command plain = command(kind, ""), tagged = command(kind, "t");
    struct buf a = BUF_INIT, b = BUF_INIT;
    char *p, *q;
    size_t n, lines = 0;

    native_answer(&a, &plain, r);
    native_answer(&b, &tagged, r);
    buf_append_char(&a, '\0');
    buf_append_char(&b, '\0');
    for (p = a.data, q = b.data; *p != '\0'; p += n, q += n) {
        n = strcspn(p, "\n") + 1;
        assert_memory_equal(q, "#t ", 3);
        q += 3;
        if (strncmp(p, "STAT time ", 10) != 0)
            assert_memory_equal(q, p, n);
        lines++;
    }
    assert_int_equal(*q, '\0');
    assert_true(lines > 1);
    assert_string_equal(p - strlen("END\r\n"), "END\r\n");
    buf_fini(&a);
    buf_fini(&b);
}

static void
native_tags_every_line_of_stats_and_help(void **state)
{
    struct scoreboard *board = scoreboard_new(2);
    struct reply r = { .board = board, .now = clock_now() + USEC_PER_SEC };

    (void)state;
    assert_non_null(board);
    scoreboard_use(board, 1);
    slot_claim(scoreboard_slot(board, 1), 4242, clock_now());
    metrics_add(slot_metrics(scoreboard_slot(board, 1)), METRIC_items, 12345);
    assert_tagged_like_untagged(COMMAND_STATS, &r);
    assert_tagged_like_untagged(COMMAND_STATS_WORKERS, &r);
    assert_tagged_like_untagged(COMMAND_HELP, &r);
    scoreboard_free(&board);
}

static void
native_helps_with_every_verb_and_knows_each(void **state)
{
    struct command c = command(COMMAND_HELP, "");
    const struct reply r = { .now = 0 };
    struct buf out = BUF_INIT;
    char *line, *end, request[80];
    struct conversation d;
    size_t n = 0;

    (void)state;
    native_answer(&out, &c, &r);
    buf_append_char(&out, '\0');
    for (line = out.data; strcmp(line, "END\r\n") != 0; line = end + 2) {
        end = strstr(line, "\r\n");
        assert_non_null(end);
        assert_memory_equal(line, "HELP ", 5);
        line += 5;
        snprintf(request, sizeof(request), "%.*s 1\n", (int)strcspn(line, " :"), line);
        driver_init(&d, 1000, 10);
        conversation_feed(&d, span_str(request));
        assert_true(strcmp(conversation_said(&d), "error unknown\n") != 0 ||
                    strcmp(request, "stats 1\n") == 0);
        conversation_fini(&d);
        n++;
    }
    assert_int_equal(n, 8 + 6); /* verbs, and options of fetch */
    buf_fini(&out);
}

/* Fails in the middle of a line, as memory does when it runs out. */
static void
half_a_source(void *arg, void (*line)(struct buf *out, struct span text), struct buf *out)
{
    (void)arg;
    line(out, SPAN("items table key=id"));
    line(out, span_of("x", SIZE_MAX / 2));
}

static void
native_marks_an_answer_that_memory_had_no_room_for(void **state)
{
    const struct reply r = { .each_source = half_a_source };
    struct command c = command(COMMAND_SOURCES, "");
    struct buf out = BUF_INIT;

    (void)state;
    native_answer(&out, &c, &r);
    assert_true(buf_failed(&out));
    buf_clear(&out);
    c = command(COMMAND_SOURCES, "t");
    native_answer(&out, &c, &r);
    assert_true(buf_failed(&out));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_answers_a_line_for_every_position),
        cmocka_unit_test(native_puts_the_tag_on_every_line),
        cmocka_unit_test(native_shows_only_some_fields_of_an_old_item),
        cmocka_unit_test(native_tells_milliseconds_with_three_digits),
        cmocka_unit_test(native_answers_the_largest_items_and_keys),
        cmocka_unit_test(native_answers_single_lines),
        cmocka_unit_test(native_answers_errors_with_code_and_text),
        cmocka_unit_test(native_answers_sources_one_by_one),
        cmocka_unit_test(native_tags_every_line_of_stats_and_help),
        cmocka_unit_test(native_helps_with_every_verb_and_knows_each),
        cmocka_unit_test(native_marks_an_answer_that_memory_had_no_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
