/*
 * test_resp_answer.c - results become RESP, byte for byte.
 */
#include "tests/unit/resp_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The driver's item, as a bulk string. */
#define ITEM                                                                        \
    "$98\r\n{\"id\":7,\"name\":\"a\\n\\u00e9\",\"none\":null,\"attrs\":{\"color\":" \
    "\"red\",\"n\":[1,2]},\"price\":12.50,\"yes\":true}\r\n"

#define TIMEOUT "-TIMEOUT not there by the deadline\r\n"
#define RESP3 "HELLO 3\n"
#define HELLO3                                                                    \
    "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n"      \
    "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n" \
    "$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n"

/* clang-format off */
static const struct { const char *input, *replies; } rows[] = {
    { "GET 7\n",                  ITEM },
    { "GET miss\n",               "$-1\r\n" },
    { RESP3 "GET miss\n",         HELLO3 "_\r\n" },
    { "GET timeout\n",            TIMEOUT },
    { "MGET 7 miss timeout 7\n",  "*4\r\n" ITEM "$-1\r\n" TIMEOUT ITEM },
    { RESP3 "MGET miss timeout\n", HELLO3 "*2\r\n_\r\n" TIMEOUT },
    { "MGET database upstream overload badid toobig stale old\n",
      "*7\r\n-DBERR the database is away or refused\r\n-UPSTREAM the source is away or refused\r\n"
      "-OVERLOAD too many ids wait already\r\n-BADID not an id of this source\r\n"
      "-TOOBIG the item or the answer is too big\r\n"
      "-STALE only a copy that is too old is there\r\n" ITEM },
    { "HGET 7 name\n",            "$4\r\na\n\xc3\xa9\r\n" },
    { "HGET 7 nosuch\n",          "$-1\r\n" },
    { "HGET miss name\n",         "$-1\r\n" },
    { "HGET timeout name\n",      TIMEOUT },
    { "HMGET 7 id price none attrs attrs.color attrs.n yes x id\n",
      "*9\r\n$1\r\n7\r\n$5\r\n12.50\r\n$-1\r\n$25\r\n{\"color\":\"red\",\"n\":[1,2]}\r\n$3\r\nred\r\n"
      "$5\r\n[1,2]\r\n$4\r\ntrue\r\n$-1\r\n$1\r\n7\r\n" },
    { RESP3 "HMGET 7 none x\n",   HELLO3 "*2\r\n_\r\n_\r\n" },
    { "HMGET miss a b\n",         "*2\r\n$-1\r\n$-1\r\n" },
    { "HMGET timeout a b\n",      TIMEOUT },
    { "HGETALL 7\n",
      "*12\r\n$2\r\nid\r\n$1\r\n7\r\n$4\r\nname\r\n$4\r\na\n\xc3\xa9\r\n$4\r\nnone\r\n$-1\r\n"
      "$5\r\nattrs\r\n$25\r\n{\"color\":\"red\",\"n\":[1,2]}\r\n$5\r\nprice\r\n$5\r\n12.50\r\n"
      "$3\r\nyes\r\n$4\r\ntrue\r\n" },
    { RESP3 "HGETALL 7\n",
      HELLO3 "%6\r\n$2\r\nid\r\n$1\r\n7\r\n$4\r\nname\r\n$4\r\na\n\xc3\xa9\r\n$4\r\nnone\r\n_\r\n"
      "$5\r\nattrs\r\n$25\r\n{\"color\":\"red\",\"n\":[1,2]}\r\n$5\r\nprice\r\n$5\r\n12.50\r\n"
      "$3\r\nyes\r\n$4\r\ntrue\r\n" },
    { "HGETALL miss\n",           "*0\r\n" },
    { RESP3 "HGETALL miss\n",     HELLO3 "%0\r\n" },
    { "HGETALL timeout\n",        TIMEOUT },
    { "EXISTS 1 miss 1\n",        ":2\r\n" },
    { "EXISTS 1 timeout 1\n",     TIMEOUT },
    { "STRLEN 7\nSTRLEN miss\n",  ":98\r\n:0\r\n" },
    { "TYPE 7\nTYPE miss\n",      "+string\r\n+none\r\n" },
    { "TTL 7\nPTTL miss\n",       ":-1\r\n:-2\r\n" },
    { "STRLEN timeout\nTYPE timeout\nTTL timeout\n", TIMEOUT TIMEOUT TIMEOUT },
    { "DEL 1 2\n",                ":0\r\n" },
    { "SET 1 2\n",                "-READONLY You can't write against a read only replica.\r\n" },
};
/* clang-format on */

static void
resp_answers_byte_for_byte(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++)
        resp_check_replies(rows[i].input, rows[i].replies);
}

/* As Redis: 128 bytes of the name, and of all arguments with their quotes. */
static void
resp_shows_little_of_a_request_it_does_not_know(void **state)
{
    char input[1024], expected[1024];
    int n, i;

    (void)state;
    n = snprintf(input, sizeof(input), "%0200d %0120d %0200d x\n", 7, 7, 7);
    assert_in_range(n, 1, sizeof(input) - 1);
    n = snprintf(
        expected, sizeof(expected),
        "-ERR unknown command '%0128d', with args beginning with: '%0120d' '%05d' "
        "\r\n",
        0, 7, 0);
    assert_in_range(n, 1, sizeof(expected) - 1);
    resp_check_replies(input, expected);
    for (i = 0, n = 0; i < 90; i++)
        n += snprintf(input + n, sizeof(input) - (size_t)n, "z ");
    snprintf(input + n, sizeof(input) - (size_t)n, "\n");
    n = snprintf(expected, sizeof(expected),
                 "-ERR unknown command 'z', with args beginning with: ");
    for (i = 0; i < 32; i++)
        n += snprintf(expected + n, sizeof(expected) - (size_t)n, "'z' ");
    snprintf(expected + n, sizeof(expected) - (size_t)n, "\r\n");
    resp_check_replies(input, expected);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resp_answers_byte_for_byte),
        cmocka_unit_test(resp_shows_little_of_a_request_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
