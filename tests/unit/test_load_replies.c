/*
 * test_load_replies.c - the load generator believes no server: each byte of an answer
 * that is not what it must be is found out, in every dialect.
 */
#include "tests/load/dialect.h"
#include "tests/load/echo.h"
#include "tests/load/expect.h"
#include "tests/load/row.h"

#include "common/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 1000

/* A tally explains its first few complaints; thousands are made here, on purpose. */
#define COMPLAINTS_HEARD 1000

/* Two of them do not exist. */
static const uint32_t asked[] = { 7, 1000, 1001, 16, 2000, 333 };

#define ASKED ARRAY_LEN(asked)

struct fixture {
    struct plan plan;
    struct tally *tally;
    struct expect *expect;
    struct judge judge;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    row_init();
    f->plan = (struct plan){
        .rows = ROWS, .ids = ASKED, .verify = VERIFY_ALL, .key = "id", .hits = 1
    };
    f->tally = calloc(1, sizeof(*f->tally));
    f->expect = expect_new(ROWS);
    assert_true(f->tally != NULL && f->expect != NULL);
    f->judge = (struct judge){ &f->plan, f->expect, f->tally };
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    expect_free(&f->expect);
    free(f->tally);
    free(f);
    return 0;
}

/* --- answers as the servers give them ---------------------------------------------- */

static void
answer_native(struct buf *out, const uint32_t *ids, size_t n)
{
    char item[ROW_ITEM_MAX];
    size_t i, misses = 0;

    for (i = 0; i < n; i++) {
        buf_append_fmt(out, ids[i] > ROWS ? "MISS %u\r\n" : "ITEM %u ", ids[i]);
        misses += ids[i] > ROWS;
        if (ids[i] > ROWS)
            continue;
        buf_append(out, item, row_item(ids[i], item));
        BUF_APPEND_LIT(out, "\r\n");
    }
    buf_append_fmt(out, "DONE %zu %zu 0 ms=1.234\r\n", n - misses, misses);
}

static void
answer_memcached(struct buf *out, const uint32_t *ids, size_t n)
{
    char item[ROW_ITEM_MAX];
    size_t i;

    for (i = 0; i < n; i++) {
        if (ids[i] > ROWS)
            continue;
        buf_append_fmt(out, "VALUE %u 0 %zu\r\n", ids[i], row_item(ids[i], item));
        buf_append(out, item, row_item(ids[i], item));
        BUF_APPEND_LIT(out, "\r\n");
    }
    BUF_APPEND_LIT(out, "END\r\n");
}

static void
answer_resp(struct buf *out, const uint32_t *ids, size_t n)
{
    char item[ROW_ITEM_MAX];
    size_t i;

    if (n > 1)
        buf_append_fmt(out, "*%zu\r\n", n);
    for (i = 0; i < n; i++) {
        if (ids[i] > ROWS) {
            BUF_APPEND_LIT(out, "$-1\r\n");
            continue;
        }
        buf_append_fmt(out, "$%zu\r\n", row_item(ids[i], item));
        buf_append(out, item, row_item(ids[i], item));
        BUF_APPEND_LIT(out, "\r\n");
    }
}

static const struct {
    const struct dialect *dialect;
    void (*answer)(struct buf *out, const uint32_t *ids, size_t n);
} cases[] = {
    { &dialect_native, answer_native },
    { &dialect_memcached, answer_memcached },
    { &dialect_resp, answer_resp },
};

/* --- judging them -------------------------------------------------------------------- */

static void
forget(struct fixture *f)
{
    memset(f->tally, 0, sizeof(*f->tally));
    f->tally->wrong = COMPLAINTS_HEARD;
}

static uint64_t
wrong(const struct fixture *f)
{
    return f->tally->wrong - COMPLAINTS_HEARD;
}

/* Feeds 'in' in pieces of 'step' bytes, what is not used again with the next. */
static enum reply_state
feed(struct fixture *f, const struct dialect *dialect, const uint32_t *ids, size_t n,
     struct span in, size_t step)
{
    struct reply r = { 0 };
    enum reply_state state = REPLY_MORE;
    size_t at = 0, seen = 0, used;

    reply_begin(&r, &f->judge, ids, n, 1);
    while (state == REPLY_MORE && seen < in.n) {
        seen = in.n - seen < step ? in.n : seen + step;
        state = dialect->feed(&r, &f->judge, span_of(in.p + at, seen - at), &used);
        at += used;
    }
    if (state == REPLY_DONE && at != in.n)
        tally_wrong(f->tally, "bytes left over");
    return state;
}

static void
a_right_answer_is_right_in_pieces_of_any_size(void **state)
{
    struct fixture *f = *state;
    size_t i, n, step;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        for (n = 1; n <= ASKED; n++) {
            struct buf in = BUF_INIT;

            cases[i].answer(&in, asked, n);
            for (step = 1; step <= buf_size(&in); step = step * 3 / 2 + 1) {
                forget(f);
                assert_int_equal(feed(f, cases[i].dialect, asked, n, buf_span(&in), step),
                                 REPLY_DONE);
                assert_int_equal(wrong(f), 0);
                assert_int_equal(f->tally->exact, f->tally->items);
                assert_int_equal(f->tally->items + f->tally->misses, n);
            }
            buf_fini(&in);
        }
    }
}

/* The time in the closing line is the server's own. */
static bool
may_be_anything(const struct buf *in, size_t at)
{
    const char *ms = memmem(in->data, in->len, "ms=", 3);

    return ms != NULL && in->data + at >= ms + 3;
}

static void
every_wrong_byte_is_found_out(void **state)
{
    struct fixture *f = *state;
    size_t i, at;
    int bit;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf in = BUF_INIT;

        cases[i].answer(&in, asked, ASKED);
        for (at = 0; at < buf_size(&in); at++) {
            for (bit = 0; bit < 8 && !may_be_anything(&in, at); bit++) {
                forget(f);
                in.data[at] = (char)(in.data[at] ^ 1 << bit);
                if (feed(f, cases[i].dialect, asked, ASKED, buf_span(&in), SIZE_MAX) ==
                        REPLY_DONE &&
                    wrong(f) == 0 && tally_failures(f->tally) == 0 &&
                    tally_errors(f->tally) == 0)
                    fail_msg("%s: bit %d of byte %zu", cases[i].dialect->name, bit, at);
                in.data[at] = (char)(in.data[at] ^ 1 << bit);
            }
        }
        buf_fini(&in);
    }
}

static void
another_items_bytes_are_wrong(void **state)
{
    static const uint32_t other[] = { 8, 1000, 1001, 16, 2000, 333 };
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf in = BUF_INIT;

        forget(f);
        cases[i].answer(&in, other, ASKED);
        feed(f, cases[i].dialect, asked, ASKED, buf_span(&in), SIZE_MAX);
        assert_true(wrong(f) > 0);
        buf_fini(&in);
    }
}

static void
an_item_that_exists_must_not_be_missed(void **state)
{
    static const uint32_t absent[] = { 1001, 1002, 1003, 1004, 1005, 1006 };
    struct fixture *f = *state;
    struct buf in = BUF_INIT;

    /* nothing but END, and nothing but nulls */
    forget(f);
    answer_memcached(&in, absent, ASKED);
    assert_int_equal(feed(f, &dialect_memcached, asked, ASKED, buf_span(&in), SIZE_MAX),
                     REPLY_DONE);
    assert_int_equal(wrong(f), 4);
    forget(f);
    buf_clear(&in);
    answer_resp(&in, absent, ASKED);
    assert_int_equal(feed(f, &dialect_resp, asked, ASKED, buf_span(&in), SIZE_MAX),
                     REPLY_DONE);
    assert_int_equal(wrong(f), 4);
    buf_fini(&in);
}

static void
failures_and_errors_are_counted_by_name(void **state)
{
    static const uint32_t one[] = { 7, 8 };
    struct fixture *f = *state;

    forget(f);
    feed(f, &dialect_native, one, 2,
         SPAN("FAIL 7 timeout\r\nFAIL 8 database\r\nDONE 0 0 2 ms=1.0\r\n"), SIZE_MAX);
    feed(f, &dialect_resp, one, 2,
         SPAN("*2\r\n-TIMEOUT not there by the deadline\r\n-DBERR away\r\n"), SIZE_MAX);
    assert_int_equal(f->tally->fail[0], 2);
    assert_int_equal(f->tally->fail[1], 2);
    assert_int_equal(feed(f, &dialect_native, one, 2, SPAN("ERROR syntax x\r\n"), 3),
                     REPLY_DONE);
    assert_int_equal(feed(f, &dialect_memcached, one, 2, SPAN("SERVER_ERROR oom\r\n"), 3),
                     REPLY_DONE);
    assert_int_equal(feed(f, &dialect_resp, one, 2, SPAN("-ERR no\r\n"), 3), REPLY_DONE);
    assert_int_equal(tally_errors(f->tally), 3);
    assert_int_equal(wrong(f), 0);
}

static void
an_echo_answers_what_echo_choose_says(void **state)
{
    struct fixture *f = *state;
    struct buf in = BUF_INIT;
    uint32_t ids[20];

    echo_choose(ROWS, 0.9, ids, ARRAY_LEN(ids));
    forget(f);
    answer_native(&in, ids, ARRAY_LEN(ids));
    assert_int_equal(feed(f, &dialect_echo, ids, ARRAY_LEN(ids), buf_span(&in), SIZE_MAX),
                     REPLY_DONE);
    assert_int_equal(wrong(f), 0);
    assert_int_equal(f->tally->items, 18);
    assert_int_equal(f->tally->misses, 2);
    buf_fini(&in);
}

static void
requests_are_spelled_as_the_dialects_say(void **state)
{
    static const char *const spelled[] = {
        "fetch 7 1000\r\n",
        "get 7 1000\r\n",
        "*3\r\n$4\r\nMGET\r\n$1\r\n7\r\n$4\r\n1000\r\n",
    };
    struct buf out = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&out);
        cases[i].dialect->ask(&out, asked, 2);
        assert_true(span_equal(buf_span(&out), span_str(spelled[i])));
    }
    buf_clear(&out);
    dialect_resp.ask(&out, asked, 1);
    assert_true(span_equal(buf_span(&out), SPAN("*2\r\n$3\r\nGET\r\n$1\r\n7\r\n")));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_answer_is_right_in_pieces_of_any_size),
        cmocka_unit_test(every_wrong_byte_is_found_out),
        cmocka_unit_test(another_items_bytes_are_wrong),
        cmocka_unit_test(an_item_that_exists_must_not_be_missed),
        cmocka_unit_test(failures_and_errors_are_counted_by_name),
        cmocka_unit_test(an_echo_answers_what_echo_choose_says),
        cmocka_unit_test(requests_are_spelled_as_the_dialects_say),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
