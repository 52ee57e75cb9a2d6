/*
 * test_http_answer.c - the framing of HTTP answers: what is read, what is refused, and
 * that pieces make no difference.
 */
#include "server/source/http_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER_MAX 512
#define BODY_MAX 64
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define SEVEN OK "Content-Length: 7\r\n\r\n"

/* What came of a text fed in pieces of 'step' bytes, each in a block of its own. */
struct outcome {
    enum http_progress progress;
    unsigned status;
    bool keeps;
    size_t used;
    char body[BODY_MAX + 1];
};

static struct outcome
feed(struct span text, size_t step, bool end)
{
    struct outcome o = { .progress = HTTP_MORE };
    struct http_answer a;
    struct span body;
    char *piece = NULL;

    http_answer_init(&a, HEADER_MAX, BODY_MAX);
    while (o.progress == HTTP_MORE && o.used < text.n) {
        size_t n = text.n - o.used < step ? text.n - o.used : step, used;

        free(piece);
        piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, text.p + o.used, n);
        o.progress = http_answer_feed(&a, span_of(piece, n), &used);
        assert_true(used <= n && (used == n || o.progress != HTTP_MORE));
        o.used += used;
    }
    if (o.progress == HTTP_MORE && end)
        o.progress = http_answer_end(&a);
    o.status = a.status;
    o.keeps = a.keeps;
    body = http_answer_body(&a);
    if (o.progress == HTTP_COMPLETE) {
        assert_true(body.n <= BODY_MAX);
        memcpy(o.body, body.n == 0 ? "" : body.p, body.n);
    }
    if (o.progress == HTTP_BROKEN)
        assert_true(a.why[0] != '\0');
    free(piece);
    http_answer_fini(&a);
    return o;
}

static struct outcome
feed_every_way(const char *text, bool end)
{
    struct span all = span_str(text);
    struct outcome whole = feed(all, all.n, end);
    size_t step;

    for (step = 1; step < all.n; step++) {
        struct outcome o = feed(all, step, end);

        if (o.progress != whole.progress)
            print_error("in steps of %zu: %s\n", step, text);
        assert_int_equal(o.progress, whole.progress);
        assert_string_equal(o.body, whole.body);
        if (o.progress == HTTP_COMPLETE)
            assert_int_equal(o.used, whole.used);
    }
    return whole;
}

/* clang-format off */
static const struct {
    const char *text;
    unsigned status;
    bool keeps;
    const char *body;
} answers[] = {
    { SEVEN "{\"a\":1}", 200, true, "{\"a\":1}" },
    { OK "content-length:\t7 \r\nX: y\r\n\r\n{\"a\":1}", 200, true, "{\"a\":1}" },
    { OK "Content-Length: 0\r\n\r\n", 200, true, "" },
    { OK "Content-Length: 000000000000000007\r\n\r\n{\"a\":1}", 200, true, "{\"a\":1}" },
    { "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, true, "x" },
    { "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 200, true, "x" },
    { "HTTP/1.0 404 Not Found\r\nContent-Length: 1\r\n\r\nx", 404, false, "x" },
    { "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, true, "x" },
    { OK "Connection: close\r\nContent-Length: 1\r\n\r\nx", 200, false, "x" },
    { OK "Connection: foo , CLOSE,bar\r\nContent-Length: 1\r\n\r\nx", 200, false, "x" },
    { OK "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", 200, true, "x" },
    { CHUNKED "7\r\n{\"a\":1}\r\n0\r\n\r\n", 200, true, "{\"a\":1}" },
    { CHUNKED "3\r\n{\"a\r\n004;x=\"y\"\r\n\":1}\r\n000\r\nTrailer: 1\r\n\r\n", 200, true, "{\"a\":1}" },
    { CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", 200, true, "01234567890123456789" },
    { CHUNKED "0\r\n\r\n", 200, true, "" },
    { OK "TRANSFER-ENCODING: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, true, "x" },
    { "HTTP/1.1 100 Continue\r\n\r\n" SEVEN "{\"a\":1}", 200, true, "{\"a\":1}" },
    { "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 \r\n\r\n" SEVEN "{\"a\":1}", 200, true, "{\"a\":1}" },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, false, "" },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, false, "" },
};

static const char *const broken[] = {
    "\r\n" SEVEN "{\"a\":1}",
    "HTTP/2 200 OK\r\n\r\n",
    "S",
    "HTTP/x",
    "\x15\x03\x01",
    "HTTP/9.9 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 0200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 +20 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1 200OK\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
    OK "Content-Length: 1\n\r\nx",
    OK "Content-Length: 7\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    OK "Content-Length: 7\r\nContent-Length: 9\r\n\r\n{\"a\":1}",
    OK "Content-Length: 7, 7\r\n\r\n{\"a\":1}",
    OK "Content-Length: +7\r\n\r\n{\"a\":1}",
    OK "Content-Length: -7\r\n\r\n{\"a\":1}",
    OK "Content-Length: 0x7\r\n\r\n{\"a\":1}",
    OK "Content-Length: 7 7\r\n\r\n{\"a\":1}",
    OK "Content-Length: \r\n\r\n{\"a\":1}",
    OK "Content-Length: 18446744073709551623\r\n\r\n{\"a\":1}",
    OK "Content-Length:\r\n 7\r\n\r\n{\"a\":1}",
    OK "Content-Length : 7\r\n\r\n{\"a\":1}",
    OK " Content-Length: 7\r\n\r\n{\"a\":1}",
    OK ": 7\r\n\r\n{\"a\":1}",
    OK "X\r\n\r\n",
    OK "X: a\rb\r\n\r\n",
    OK "X: a\x01\r\n\r\n",
    OK "X: \x7f\r\n\r\n",
    OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    OK "Transfer-Encoding: xchunked\r\n\r\n",
    OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
    OK "Transfer-Encoding: \r\n\r\n",
    OK "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    CHUNKED "0x5\r\nabcde\r\n0\r\n\r\n",
    CHUNKED "+5\r\nabcde\r\n0\r\n\r\n",
    CHUNKED "-5\r\nabcde\r\n0\r\n\r\n",
    CHUNKED " 5\r\nabcde\r\n0\r\n\r\n",
    CHUNKED "5 \r\nabcde\r\n0\r\n\r\n",
    CHUNKED "\r\nabcde\r\n0\r\n\r\n",
    CHUNKED "g\r\nabcde\r\n0\r\n\r\n",
    CHUNKED "5\nabcde\r\n0\r\n\r\n",
    CHUNKED "5;\x01\r\nabcde\r\n0\r\n\r\n",
    CHUNKED "5\r\nabcdef\r\n0\r\n\r\n",
    CHUNKED "5\r\nabcde0\r\n\r\n",
    CHUNKED "5\r\nabcde\n0\r\n\r\n",
    CHUNKED "0000000000000000\r\n\r\n",
    CHUNKED "0\r\nno trailer\r\n\r\n",
};
/* clang-format on */

static void
an_answer_is_read_whole_or_in_pieces(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(answers); i++) {
        struct outcome o = feed_every_way(answers[i].text, false);

        if (o.progress != HTTP_COMPLETE)
            print_error("not complete: %s\n", answers[i].text);
        assert_int_equal(o.progress, HTTP_COMPLETE);
        assert_int_equal(o.status, answers[i].status);
        assert_int_equal(o.keeps, answers[i].keeps);
        assert_string_equal(o.body, answers[i].body);
        assert_int_equal(o.used, strlen(answers[i].text));
    }
}

static void
what_could_be_read_in_two_ways_is_broken(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(broken); i++) {
        struct outcome o = feed_every_way(broken[i], true);

        if (o.progress != HTTP_BROKEN)
            print_error("accepted (%d): %s\n", o.progress, broken[i]);
        assert_int_equal(o.progress, HTTP_BROKEN);
    }
}

static void
a_nul_in_a_header_is_broken(void **state)
{
    static const char text[] = OK "X: a\0b\r\n\r\n";

    (void)state;
    assert_int_equal(feed(span_of(text, sizeof(text) - 1), 1, true).progress,
                     HTTP_BROKEN);
}

static void
nothing_behind_an_answer_is_taken(void **state)
{
    struct outcome o = feed_every_way(SEVEN "{\"a\":1}HTTP/1.1 200 OK\r\n", false);

    (void)state;
    assert_int_equal(o.progress, HTTP_COMPLETE);
    assert_int_equal(o.used, strlen(SEVEN) + 7);
}

static void
a_body_may_end_with_the_connection(void **state)
{
    struct outcome o = feed_every_way(OK "\r\n{\"a\":1}", true);

    (void)state;
    assert_int_equal(o.progress, HTTP_COMPLETE);
    assert_false(o.keeps);
    assert_string_equal(o.body, "{\"a\":1}");
}

static void
an_answer_cut_anywhere_is_broken(void **state)
{
    static const char *const list[] = { SEVEN "{\"a\":1}",
                                        CHUNKED "7\r\n{\"a\":1}\r\n0\r\n\r\n" };
    size_t i, n;

    (void)state;
    for (i = 0; i < ARRAY_LEN(list); i++) {
        for (n = 0; n < strlen(list[i]); n++)
            assert_int_equal(feed(span_of(list[i], n), 1000, true).progress, HTTP_BROKEN);
    }
}

static void
headers_have_a_bound(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    BUF_APPEND_LIT(&text, OK);
    while (buf_size(&text) < HEADER_MAX)
        BUF_APPEND_LIT(&text, "X-Header: value\r\n");
    assert_int_equal(feed(buf_span(&text), 1000, false).progress, HTTP_TOOLARGE);
    assert_int_equal(feed(buf_span(&text), 1, false).progress, HTTP_TOOLARGE);
    buf_clear(&text);
    BUF_APPEND_LIT(&text, OK "X: ");
    while (buf_size(&text) <= HEADER_MAX)
        buf_append_char(&text, 'x');
    assert_int_equal(feed(buf_span(&text), 7, false).progress, HTTP_TOOLARGE);
    buf_clear(&text);
    while (buf_size(&text) <= HEADER_MAX)
        BUF_APPEND_LIT(&text, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(feed(buf_span(&text), 7, false).progress, HTTP_TOOLARGE);
    buf_clear(&text);
    BUF_APPEND_LIT(&text, CHUNKED "0\r\n");
    while (buf_size(&text) <= HEADER_MAX)
        BUF_APPEND_LIT(&text, "X-Trailer: value\r\n");
    assert_int_equal(feed(buf_span(&text), 7, false).progress, HTTP_TOOLARGE);
    buf_fini(&text);
}

/* An interim answer leaves 'room' bytes; what comes then is another protocol, or too long. */
static void
the_end_of_the_bound_is_judged_alike_in_pieces(void **state)
{
    static const char *const next[] = { "HTTP/2.0 404 X\r\n\r\n",
                                        "HTTP/1.1 404 X\r\n\r\n", "HTTP\r\n",
                                        "SSH-2.0\r\n" };
    struct buf text = BUF_INIT;
    size_t i, room, step, fixed = strlen("HTTP/1.1 100 \r\n\r\n");

    (void)state;
    for (room = 0; room < 24; room++) {
        for (i = 0; i < ARRAY_LEN(next); i++) {
            struct outcome whole;

            buf_clear(&text);
            BUF_APPEND_LIT(&text, "HTTP/1.1 100 ");
            while (buf_size(&text) + fixed - strlen("HTTP/1.1 100 ") < HEADER_MAX - room)
                buf_append_char(&text, 'x');
            BUF_APPEND_LIT(&text, "\r\n\r\n");
            buf_append_span(&text, span_str(next[i]));
            whole = feed(buf_span(&text), 1000, true);
            assert_int_not_equal(whole.progress, HTTP_MORE);
            for (step = 1; step < 20; step++)
                assert_int_equal(feed(buf_span(&text), step, true).progress,
                                 whole.progress);
        }
    }
    buf_fini(&text);
}

static void
bodies_have_a_bound(void **state)
{
    struct buf text = BUF_INIT;
    size_t i;

    (void)state;
    assert_int_equal(feed_every_way(OK "Content-Length: 65\r\n\r\n", false).progress,
                     HTTP_TOOLARGE);
    assert_int_equal(
        feed_every_way(OK "Content-Length: 999999999999999999\r\n\r\n", false).progress,
        HTTP_TOOLARGE);
    assert_int_equal(feed_every_way(CHUNKED "41\r\n", false).progress, HTTP_TOOLARGE);
    assert_int_equal(feed_every_way(CHUNKED "fffffffffffffff\r\n", false).progress,
                     HTTP_TOOLARGE);
    BUF_APPEND_LIT(&text, CHUNKED);
    for (i = 0; i <= BODY_MAX; i++)
        BUF_APPEND_LIT(&text, "1\r\nx\r\n");
    assert_int_equal(feed(buf_span(&text), 5, false).progress, HTTP_TOOLARGE);
    buf_clear(&text);
    BUF_APPEND_LIT(&text, OK "\r\n");
    for (i = 0; i <= BODY_MAX; i++)
        BUF_APPEND_LIT(&text, "x");
    assert_int_equal(feed(buf_span(&text), 5, false).progress, HTTP_TOOLARGE);
    buf_fini(&text);
}

static void
the_next_answer_begins_afresh(void **state)
{
    struct http_answer a;
    size_t used, i;

    (void)state;
    http_answer_init(&a, HEADER_MAX, BODY_MAX);
    for (i = 0; i < 3; i++) {
        assert_int_equal(http_answer_feed(&a, SPAN(CHUNKED "1\r\nx\r\n0\r\n\r\n"), &used),
                         HTTP_COMPLETE);
        http_answer_reset(&a);
        assert_int_equal(http_answer_feed(&a, SPAN(SEVEN "{\"a\":1}"), &used),
                         HTTP_COMPLETE);
        assert_int_equal(http_answer_body(&a).n, 7);
        http_answer_reset(&a);
    }
    http_answer_fini(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_whole_or_in_pieces),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_broken),
        cmocka_unit_test(a_nul_in_a_header_is_broken),
        cmocka_unit_test(nothing_behind_an_answer_is_taken),
        cmocka_unit_test(a_body_may_end_with_the_connection),
        cmocka_unit_test(an_answer_cut_anywhere_is_broken),
        cmocka_unit_test(headers_have_a_bound),
        cmocka_unit_test(the_end_of_the_bound_is_judged_alike_in_pieces),
        cmocka_unit_test(bodies_have_a_bound),
        cmocka_unit_test(the_next_answer_begins_afresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
