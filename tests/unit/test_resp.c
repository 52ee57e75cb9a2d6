/*
 * test_resp.c - arrays and inline requests become commands, however their bytes arrive.
 */
#include "tests/unit/resp_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINE_MAX_BYTES 400
#define IDS_MAX 6

static void
check(const char *input, const char *expected)
{
    resp_check_commands(input, LINE_MAX_BYTES, IDS_MAX, expected);
}

/* clang-format off */
static const struct { const char *input, *said; } rows[] = {
    /* arrays */
    { "*2\r\n$3\r\nGET\r\n$1\r\n7\r\n",                 "fetch <7>\n" },
    { "*3\r\n$4\r\nmget\r\n$1\r\n7\r\n$2\r\n10\r\n",    "fetch <7> <10>\n" },
    { "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",                 "local ()\n" },
    { "*2\r\n$4\r\nECHO\r\n$5\r\n\r\n*1\r\r\n",         "local (\r\n*1\r)\n" },
    { "*0\r\n*-1\r\n*-3\r\n*1\r\n$4\r\nPING\r\n",       "local\n" },
    { "*1\rx$4\rxPINGxx*1\r\n$4\r\nPING\r\n",           "local\nlocal\n" },
    { "*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",       "quit\n" },
    { "*2\r\n$3\r\nGET",                                "" },
    { "*",                                              "" },
    { "*1\r",                                           "" },
    /* inline */
    { "GET 7\n",                                        "fetch <7>\n" },
    { "GET 7\r\nget 8\r\n",                             "fetch <7>\nfetch <8>\n" },
    { " \tGET\v\f 7\r \n",                              "fetch <7>\n" },
    { "\r\n\n \t\r\nPING\r\n",                          "local\n" },
    { "ECHO \"a b\"\n",                                 "local (a b)\n" },
    { "ECHO 'a b'\n",                                   "local (a b)\n" },
    { "ECHO a\"b c\"\n",                                "local (ab c)\n" },
    { "ECHO \"\"\nECHO ''\n",                           "local ()\nlocal ()\n" },
    { "ECHO \"\\n\\r\\t\\b\\a\\\\\\\"\\q\"\n",          "local (\n\r\t\b\a\\\"q)\n" },
    { "ECHO \"\\x41\\x4a\\x4A\\xg1\\x4\"\n",            "local (AJJxg1x4)\n" },
    { "ECHO 'it\\'s \\n'\n",                            "local (it's \\n)\n" },
    { "*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n", "local\nlocal\nlocal\n" },
    { "ECHO \"a\n",      "error close -ERR Protocol error: unbalanced quotes in request\r\n" },
    { "ECHO 'a\n",       "error close -ERR Protocol error: unbalanced quotes in request\r\n" },
    { "ECHO \"a\\\n",    "error close -ERR Protocol error: unbalanced quotes in request\r\n" },
    { "ECHO 'a\\'\n",    "error close -ERR Protocol error: unbalanced quotes in request\r\n" },
    { "ECHO \"a\"b\n",   "error close -ERR Protocol error: unbalanced quotes in request\r\n" },
    { "ECHO 'a''b'\n",   "error close -ERR Protocol error: unbalanced quotes in request\r\n" },
    /* framing that is lost */
    { "*\r\n",           "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*x\r\n",          "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*+1\r\n",         "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*01\r\n",         "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "* 1\r\n",         "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*1 \r\n",         "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*-\r\n",          "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*-0\r\n",         "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*2147483648\r\n", "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*9223372036854775808\r\n", "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*18446744073709551617\r\n", "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*-9223372036854775809\r\n", "error close -ERR Protocol error: invalid multibulk length\r\n" },
    { "*-9223372036854775808\r\nPING\n", "local\n" },
    { "*1\r\n$-1\r\n",   "error close -ERR Protocol error: invalid bulk length\r\n" },
    { "*1\r\n$\r\n",     "error close -ERR Protocol error: invalid bulk length\r\n" },
    { "*1\r\n$4x\r\n",   "error close -ERR Protocol error: invalid bulk length\r\n" },
    { "*1\r\n$401\r\n",  "error close -ERR Protocol error: invalid bulk length\r\n" },
    { "*1\r\n$400\r\n",  "error close -ERR Protocol error: the request is longer than limits.line\r\n" },
    { "*1\r\n$389\r\n",  "error close -ERR Protocol error: the request is longer than limits.line\r\n" },
    { "*1\r\n$388\r\n",  "" },
    { "*1\r\nPING\r\n",  "error close -ERR Protocol error: expected '$', got 'P'\r\n" },
    { "*1\r\n\r\n",      "error close -ERR Protocol error: expected '$', got ' '\r\n" },
    { "*1\r\n\nx\r\n",   "error close -ERR Protocol error: expected '$', got ' '\r\n" },
    { "*2\r\n$4\r\nPING\r\nfooz\r\n", "error close -ERR Protocol error: expected '$', got 'f'\r\n" },
    /* browsers */
    { "GET / HTTP/1.1\r\nHost: x\r\n",                  "hangup\n" },
    { "POST / x\r\n",                                   "hangup\n" },
    { "host: x\r\n",                                    "hangup\n" },
    { "*2\r\n$4\r\npost\r\n$1\r\n/\r\n",                "hangup\n" },
};
/* clang-format on */

static void
resp_reads_arrays_and_lines(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++)
        check(rows[i].input, rows[i].said);
}

static void
resp_takes_any_byte_in_a_bulk_string(void **state)
{
    struct resp_driver d;
    struct span input = SPAN("*2\r\n$4\r\nECHO\r\n$6\r\n\0\r\n\xff$*\r\nPING\0 x\r\n");
    struct span said = SPAN("local (\0\r\n\xff$*)\nlocal\n");

    (void)state;
    resp_driver_init(&d, LINE_MAX_BYTES, IDS_MAX);
    conversation_feed(&d.talk, input);
    assert_true(span_equal(buf_span(&d.talk.said), said));
    conversation_fini(&d.talk);
}

/* --- bounds --------------------------------------------------------------------------- */

/* 'head', then 'n' bytes, then 'tail', where lines may be long. */
static void
check_long(const char *head, char c, size_t n, const char *tail, const char *expected)
{
    struct resp_driver d;
    struct buf input = BUF_INIT;

    resp_driver_init(&d, 1 << 20, IDS_MAX);
    buf_append_span(&input, span_str(head));
    while (n-- > 0)
        buf_append_char(&input, c);
    buf_append_span(&input, span_str(tail));
    conversation_feed(&d.talk, buf_span(&input));
    assert_string_equal(conversation_said(&d.talk), expected);
    conversation_fini(&d.talk);
    buf_fini(&input);
}

static void
resp_bounds_its_lines_as_redis_does(void **state)
{
    const char *line = "error close -ERR Protocol error: too big inline request\r\n";
    const char *count = "error close -ERR Protocol error: too big mbulk count string\r\n";
    const char *bulk = "error close -ERR Protocol error: too big bulk count string\r\n";

    (void)state;
    check_long("", ' ', 65536, "\nPING\n", "local\n");
    check_long("", ' ', 65537, "\nPING\n", line);
    check_long("", ' ', 65537, "", line);
    check_long("", ' ', 65536, "", "");
    check_long("*", '1', 65535, "", "");
    check_long("*", '1', 65536, "", count);
    check_long("*", '1', 65536, "\r\n", count);
    check_long("*1\r\n$", '1', 65535, "", "");
    check_long("*1\r\n$", '1', 65536, "", bulk);
}

/* An ECHO of 'n' bytes. */
static void
check_echo(int n, bool taken)
{
    struct buf input = BUF_INIT, said = BUF_INIT;
    int i;

    buf_append_fmt(&input, "*2\r\n$4\r\nECHO\r\n$%d\r\n", n);
    BUF_APPEND_LIT(&said, "local (");
    for (i = 0; i < n; i++) {
        buf_append_char(&input, 'x');
        buf_append_char(&said, 'x');
    }
    buf_append_fmt(&input, "\r\n%c", '\0');
    buf_append_fmt(&said, ")\n%c", '\0');
    check(buf_span(&input).p,
          taken ? buf_span(&said).p
                : "error close -ERR Protocol error: the request is longer than "
                  "limits.line\r\n");
    buf_fini(&input);
    buf_fini(&said);
}

static void
resp_bounds_the_bytes_of_a_request(void **state)
{
    (void)state;
    /* "*2 $4 ECHO $n" and the last CRLF are 22 bytes */
    check_echo(LINE_MAX_BYTES - 22, true);
    check_echo(LINE_MAX_BYTES - 21, false);
}

/* --- however the bytes are split -------------------------------------------------------- */

static const char conversation[] =
    "PING\r\n\n  \t\r\n*1\r\n$4\r\nPING\r\n*-1\r\n*0\r\nget 7\n"
    "*7\r\n$4\r\nMGET\r\n$1\r\n1\r\n$2\r\n22\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$"
    "1\r\n6\r\n"
    "*8\r\n$4\r\nMGET\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$"
    "1\r\n6\r\n"
    "$1\r\n7\r\nHMGET 1 \"a b\" '' c\r\n*2\r\n$4\r\nECHO\r\n$9\r\n\r\n*1\r\n$4\r\r\n"
    "nosuch a b\r\nSET 1 2\nHELLO 3 SETNAME me\r\nclient nosuch\nCLIENT ID 4\n"
    "GET \"a b\"\nDEL 1 2\n";

static const char *const endings[] = {
    "QUIT\r\nPING\r\n",
    "GET / HTTP/1.1\r\nPING\r\n",
    "*1\r\nx\r\n",
    "*1\r\n$5000\r\n",
    "*x\r\nPING\r\n",
    "ECHO \"\r\n",
    "*2\r\n$4\r\nECHO\r\n$3\r\nab",
};

static void
open_resp(struct conversation *c)
{
    resp_driver_init((struct resp_driver *)c, LINE_MAX_BYTES, IDS_MAX);
}

static void
check_every_split(struct span input)
{
    static const struct conversation_kind resp = { sizeof(struct resp_driver),
                                                   open_resp };

    conversation_check_splits(&resp, input);
}

static void
resp_does_not_care_how_the_bytes_are_split(void **state)
{
    struct buf input = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(endings); i++) {
        buf_clear(&input);
        buf_append_span(&input, span_str(conversation));
        buf_append_span(&input, span_str(endings[i]));
        check_every_split(buf_span(&input));
    }
    for (i = 0; i < ARRAY_LEN(rows); i++)
        check_every_split(span_str(rows[i].input));
    buf_fini(&input);
}

/* --- ten thousand keys -------------------------------------------------------------------- */

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#define MANY 10000

static void
append_many(struct buf *input, struct buf *expected)
{
    char key[16];
    int i, n;

    buf_append_fmt(input, "*%d\r\n$4\r\nMGET\r\n", MANY + 1);
    BUF_APPEND_LIT(expected, "fetch");
    for (i = 0; i < MANY; i++) {
        n = snprintf(key, sizeof(key), "%d", i * 7919);
        buf_append_fmt(input, "$%d\r\n%s\r\n", n, key);
        buf_append_fmt(expected, " <%s>", key);
    }
    BUF_APPEND_LIT(expected, "\n");
}

/* What is known of an array is never looked at again until it is whole: at most the word
 * that is not whole is, so the work is linear however small the pieces. */
static void
resp_takes_ten_thousand_keys_in_random_pieces(void **state)
{
    struct buf input = BUF_INIT, expected = BUF_INIT;
    uint32_t seed = 1;
    int round;

    (void)state;
    append_many(&input, &expected);
    append_many(&input, &expected);
    buf_append_char(&expected, '\0');
    for (round = 0; round < 8; round++) {
        struct span rest = buf_span(&input);
        struct resp_driver d;

        resp_driver_init(&d, 1 << 20, MANY);
        while (rest.n > 0) {
            size_t n = 1 + next_random(&seed) % (200u << round);

            n = n < rest.n ? n : rest.n;
            conversation_feed(&d.talk, span_of(rest.p, n));
            rest = span_of(rest.p + n, rest.n - n);
        }
        assert_string_equal(conversation_said(&d.talk), buf_span(&expected).p);
        assert_in_range(d.most_pending, 1, 32);
        conversation_fini(&d.talk);
    }
    buf_fini(&input);
    buf_fini(&expected);
}

/* --- bytes that mean nothing ----------------------------------------------------------------- */

/* Changes some bytes to ones that matter to a parser; returns the new length. */
static size_t
mutate(char *bytes, size_t n, uint32_t *seed)
{
    static const char odd[] = "\r\n*$-0129\"'\\ \tGx";
    uint32_t times = 1 + next_random(seed) % 6;

    while (times-- > 0 && n > 2) {
        size_t at = next_random(seed) % (n - 1);

        switch (next_random(seed) % 4) {
        case 0:
            bytes[at] = odd[next_random(seed) % (sizeof(odd) - 1)];
            break;
        case 1:
            memmove(bytes + at, bytes + at + 1, n - at - 1);
            n--;
            break;
        case 2:
            bytes[at] = (char)next_random(seed);
            break;
        default:
            n = at + 1;
            break;
        }
    }
    return n;
}

static void
resp_reads_nonsense_the_same_in_any_pieces(void **state)
{
    char bytes[sizeof(conversation)];
    uint32_t seed = 7;
    int round;

    (void)state;
    for (round = 0; round < 4000; round++) {
        struct resp_driver whole, pieces;
        size_t skip = next_random(&seed) % (sizeof(bytes) - 60), n, at, step;

        memcpy(bytes, conversation + skip, sizeof(bytes) - skip);
        n = mutate(bytes, sizeof(bytes) - 1 - skip, &seed);
        resp_driver_init(&whole, LINE_MAX_BYTES, IDS_MAX);
        resp_driver_init(&pieces, LINE_MAX_BYTES, IDS_MAX);
        conversation_feed(&whole.talk, span_of(bytes, n));
        for (at = 0; at < n; at += step) {
            step = 1 + next_random(&seed) % 17;
            step = step < n - at ? step : n - at;
            conversation_feed(&pieces.talk, span_of(bytes + at, step));
        }
        assert_true(span_equal(buf_span(&whole.talk.said), buf_span(&pieces.talk.said)));
        assert_int_equal(whole.talk.closed, pieces.talk.closed);
        conversation_fini(&whole.talk);
        conversation_fini(&pieces.talk);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resp_reads_arrays_and_lines),
        cmocka_unit_test(resp_takes_any_byte_in_a_bulk_string),
        cmocka_unit_test(resp_bounds_its_lines_as_redis_does),
        cmocka_unit_test(resp_bounds_the_bytes_of_a_request),
        cmocka_unit_test(resp_does_not_care_how_the_bytes_are_split),
        cmocka_unit_test(resp_takes_ten_thousand_keys_in_random_pieces),
        cmocka_unit_test(resp_reads_nonsense_the_same_in_any_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
