/*
 * test_resp_session.c - what is said about the connection, and when it changes.
 */
#include "tests/unit/resp_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define HELLO(map, proto)                                                      \
    map "\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n" \
        "$5\r\nproto\r\n:" proto "\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n"       \
        "$10\r\nstandalone\r\n$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n"
#define HELLO2 HELLO("*14", "2")
#define HELLO3 HELLO("%7", "3")

/* clang-format off */
static const struct { const char *input, *replies; } rows[] = {
    { "HELLO\n",                               HELLO2 },
    { "HELLO 3\nHELLO\nHELLO 2\n",             HELLO3 HELLO3 HELLO2 },
    { "HELLO 3\nHELLO 4\nGET miss\n",          HELLO3 "-NOPROTO unsupported protocol version\r\n_\r\n" },
    { "HELLO 3 NO\nGET miss\n",                "-ERR Syntax error in HELLO option 'NO'\r\n$-1\r\n" },
    { "HELLO 3 SETNAME me\nCLIENT GETNAME\n",  HELLO3 "$2\r\nme\r\n" },
    { "CLIENT GETNAME\n",                      "$-1\r\n" },
    { "CLIENT SETNAME a\nCLIENT SETNAME ''\nCLIENT GETNAME\n", "+OK\r\n+OK\r\n$-1\r\n" },
    { "CLIENT SETNAME 0123456789012345678901234567890123456789012345678901234567890123456789\nCLIENT GETNAME\n",
      "+OK\r\n$63\r\n012345678901234567890123456789012345678901234567890123456789012\r\n" },
    { "HELLO 3 SETNAME me\nRESET\nGET miss\nCLIENT GETNAME\n", HELLO3 "+RESET\r\n$-1\r\n$-1\r\n" },
    { "CLIENT ID\nCLIENT GETREDIR\n",          ":42\r\n:-1\r\n" },
    { "PING\nPING x\nECHO ''\nQUIT\nPING\n",   "+PONG\r\n$1\r\nx\r\n$0\r\n\r\n+OK\r\n" },
    { "DBSIZE\nSELECT 0\n",                    ":0\r\n+OK\r\n" },
    { "ROLE\n",                                "*5\r\n$5\r\nslave\r\n$0\r\n\r\n:0\r\n$9\r\nconnected\r\n:0\r\n" },
    { "CONFIG GET save\nCONFIG GET x\n",       "*2\r\n$4\r\nsave\r\n$0\r\n\r\n*0\r\n" },
    { "CONFIG GET MAXCLIENTS x\n",             "*2\r\n$10\r\nmaxclients\r\n$4\r\n1000\r\n" },
    { "CONFIG GET a* s[a]ve\n",                "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$4\r\nsave\r\n$0\r\n\r\n" },
    { "HELLO 3\nCONFIG GET save\n",            HELLO3 "%1\r\n$4\r\nsave\r\n$0\r\n\r\n" },
};
/* clang-format on */

static void
resp_session_changes_when_it_is_answered(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++)
        resp_check_replies(rows[i].input, rows[i].replies);
}

static void
resp_session_describes_itself(void **state)
{
    struct resp_driver d;
    const char *said;

    (void)state;
    resp_driver_init(&d, 1000, 10);
    d.answers = true;
    conversation_feed(
        &d.talk, SPAN("CLIENT SETNAME me\nCLIENT INFO\nHELLO 3\nCLIENT LIST\nTIME\n"));
    said = conversation_said(&d.talk);
    assert_non_null(strstr(said, "id=42 addr= laddr= fd=0 name=me age=0"));
    assert_non_null(strstr(said, " cmd=client|info user=default redir=-1 resp=2\n\r\n"));
    assert_non_null(strstr(said, "\r\ntxt:id=42 "));
    assert_non_null(
        strstr(said, " cmd=client|list user=default redir=-1 resp=3\n\r\n*2\r\n$10\r\n"));
    conversation_fini(&d.talk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resp_session_changes_when_it_is_answered),
        cmocka_unit_test(resp_session_describes_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
