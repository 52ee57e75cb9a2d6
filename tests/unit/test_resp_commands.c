/*
 * test_resp_commands.c - words become commands, or are refused in Redis' words.
 */
#include "server/protocol/resp.h"
#include "tests/unit/resp_driver.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINE_MAX_BYTES 200000
#define IDS_MAX 6

static void
check(const char *input, const char *expected)
{
    resp_check_commands(input, LINE_MAX_BYTES, IDS_MAX, expected);
}

/* clang-format off */
static const struct { const char *input, *said; } rows[] = {
    { "GET 7\n",                  "fetch <7>\n" },
    { "gEt tags:x\n",             "fetch <tags:x>\n" },
    { "MGET 1 1 1\n",             "fetch <1> <1> <1>\n" },
    { "HGET 7 name\n",            "fetch <7> [name]\n" },
    { "HMGET 7 a \"b c\" ''\n",   "fetch <7> [a] [b c] []\n" },
    { "HGETALL 7\n",              "fetch <7>\n" },
    { "EXISTS 1 2\n",             "fetch <1> <2>\n" },
    { "STRLEN 1\nTYPE 2\nTTL 3\nPTTL 4\n", "fetch <1>\nfetch <2>\nfetch <3>\nfetch <4>\n" },
    { "DEL 1 2\nUNLINK 3\n",      "invalidate <1> <2>\ninvalidate <3>\n" },
    { "PING\nPING x\n",           "local\nlocal (x)\n" },
    { "PING x y\n",               "error -ERR wrong number of arguments for 'ping' command\r\n" },
    { "SELECT 0\n",               "local\n" },
    { "SELECT 1\n",               "error -ERR DB index is out of range\r\n" },
    { "SELECT x\n",               "error -ERR value is not an integer or out of range\r\n" },
    { "AUTH default x\n",         "local\n" },
    { "AUTH a b\n",               "error -WRONGPASS invalid username-password pair or user is disabled.\r\n" },
    { "AUTH a b c\n",             "error -ERR syntax error\r\n" },
    { "HELLO\nHELLO 2\n",         "local\nlocal\n" },
    { "HELLO 3 AUTH default x SETNAME me\n", "local (me)\n" },
    { "HELLO 3 setname a SETNAME b\n", "local (b)\n" },
    { "HELLO 4\nHELLO 1\n",       "error -NOPROTO unsupported protocol version\r\nerror -NOPROTO unsupported protocol version\r\n" },
    { "HELLO x\n",                "error -ERR Protocol version is not an integer or out of range\r\n" },
    { "HELLO 3 AUTH me x\n",      "error -WRONGPASS invalid username-password pair or user is disabled.\r\n" },
    { "HELLO 3 AUTH me\n",        "error -ERR Syntax error in HELLO option 'AUTH'\r\n" },
    { "HELLO 3 SETNAME\n",        "error -ERR Syntax error in HELLO option 'SETNAME'\r\n" },
    { "HELLO 3 \"a\\r\\nb\"\n",   "error -ERR Syntax error in HELLO option 'a  b'\r\n" },
    { "HELLO 3 SETNAME \"a b\"\n", "error -ERR Client names cannot contain spaces, newlines or special characters.\r\n" },
    { "CLIENT SETNAME me\n",      "local (me)\n" },
    { "CLIENT SETNAME \"\\x7f\"\n", "error -ERR Client names cannot contain spaces, newlines or special characters.\r\n" },
    { "CLIENT SETINFO LIB-NAME x\nclient no-evict on\n", "local\nlocal\n" },
    { "CLIENT\n",                 "error -ERR wrong number of arguments for 'client' command\r\n" },
    { "CLIENT ID x\n",            "error -ERR wrong number of arguments for 'client|id' command\r\n" },
    { "CLIENT NOSUCH x\n",        "error -ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n" },
    { "CLIENT REPLY ON\n",        "local\n" },
    { "CLIENT REPLY OFF\n",       "error -ERR CLIENT REPLY OFF and SKIP are not supported\r\n" },
    { "COMMAND NOSUCH\n",         "error -ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP.\r\n" },
    { "CONFIG SET a b\n",         "error -ERR the configuration is a file, and read only from here\r\n" },
    { "GET\n",                    "error -ERR wrong number of arguments for 'get' command\r\n" },
    { "GET 1 2\n",                "error -ERR wrong number of arguments for 'get' command\r\n" },
    { "HMGET 1\n",                "error -ERR wrong number of arguments for 'hmget' command\r\n" },
    { "MGET 1 2 3 4 5 6\n",       "fetch <1> <2> <3> <4> <5> <6>\n" },
    { "MGET 1 2 3 4 5 6 7\n",     "error -ERR more ids or fields than limits.ids allows\r\n" },
    { "MGET 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19\n", "error -ERR more ids or fields than limits.ids allows\r\n" },
    { "GET ''\n",                 "error -ERR a key is empty\r\n" },
    { "GET 'a b'\n",              "error -ERR a key holds a blank or a control character\r\n" },
    { "MGET 1 \"\\x7f\"\n",       "error -ERR a key holds a blank or a control character\r\n" },
    { "DEL 1 \"\\n\"\n",          "error -ERR a key holds a blank or a control character\r\n" },
    { "HGET 'a b' f\n",           "error -ERR a key holds a blank or a control character\r\n" },
    { "SET 1 2\nflushALL\nLPUSH\n", "local\nlocal\nlocal\n" },
    { "NOSUCH\n",                 "error -ERR unknown command 'NOSUCH', with args beginning with: \r\n" },
    { "nosuch a '' \"\\r\\n\"\n", "error -ERR unknown command 'nosuch', with args beginning with: 'a' '' '  ' \r\n" },
    { "'' a\n",                   "error -ERR unknown command '', with args beginning with: 'a' \r\n" },
    { "\"a\\x00b\" \"c\\x00d\"\n", "error -ERR unknown command 'a', with args beginning with: 'c' \r\n" },
    { "QUIT now\n",               "quit (now)\n" },
};
/* clang-format on */

static void
resp_commands_take_their_arguments(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++)
        check(rows[i].input, rows[i].said);
}

static void
resp_commands_bound_keys_and_arguments(void **state)
{
    struct buf input = BUF_INIT;
    size_t n;

    (void)state;
    for (n = 250; n <= 251; n++) {
        buf_clear(&input);
        BUF_APPEND_LIT(&input, "TTL ");
        while (buf_size(&input) < 4 + n)
            buf_append_char(&input, 'x');
        buf_append(&input, "\n\0", 2);
        if (n == 251) {
            check(buf_span(&input).p, "error -ERR a key is longer than 250 bytes\r\n");
        } else {
            struct resp_driver d;

            resp_driver_init(&d, LINE_MAX_BYTES, IDS_MAX);
            conversation_feed(&d.talk, span_str(buf_span(&input).p));
            assert_memory_equal(conversation_said(&d.talk), "fetch <xxx", 10);
            conversation_fini(&d.talk);
        }
    }
    buf_clear(&input);
    BUF_APPEND_LIT(&input, "*2\r\n$4\r\nECHO\r\n$65537\r\n");
    for (n = 0; n < 65537; n++)
        buf_append_char(&input, 'x');
    buf_append(&input, "\r\n\0", 3);
    check(buf_span(&input).p, "error -ERR the arguments are too long\r\n");
    buf_fini(&input);
}

static void
check_table(const struct resp_verb *verbs, size_t n)
{
    size_t i, j;
    const char *p;

    for (i = 0; i < n; i++) {
        const struct resp_verb *v = &verbs[i];

        for (p = v->name; *p != '\0'; p++)
            assert_true(islower((unsigned char)*p) || strchr("|-", *p) != NULL);
        for (j = 0; j < i; j++)
            assert_string_not_equal(v->name, verbs[j].name);
        assert_int_not_equal(v->arity, 0);
        assert_true(v->answer != NULL || v->nsubs > 0);
        assert_int_equal(v->kind == COMMAND_FETCH || v->kind == COMMAND_INVALIDATE,
                         v->keys != RESP_KEYS_NONE);
        assert_true(strlen(v->summary) > 3);
        check_table(v->subs, v->nsubs);
    }
}

static void
resp_commands_are_a_sound_table(void **state)
{
    (void)state;
    check_table(resp_verbs, resp_nverbs);
    assert_ptr_equal(resp_find_verb(SPAN("MGET")), &resp_verbs[0]);
    assert_null(resp_find_verb(SPAN("MGE")));
    assert_null(resp_find_verb(SPAN("")));
    assert_null(resp_find_verb(SPAN("client|id")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resp_commands_take_their_arguments),
        cmocka_unit_test(resp_commands_bound_keys_and_arguments),
        cmocka_unit_test(resp_commands_are_a_sound_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
