/*
 * test_resp_catalogue.c - COMMAND shows the table, in RESP that can be read.
 */
#include "server/protocol/resp.h"
#include "tests/unit/resp_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The end of the reply that begins at 'p'; fails when it is none. */
static const char *
skip_reply(const char *p)
{
    const char *end = strchr(p, '\n');
    long n, i;

    assert_non_null(end);
    assert_true(end > p && end[-1] == '\r');
    n = atol(p + 1);
    switch (*p) {
    case '+':
    case '-':
    case ':':
    case '_':
        return end + 1;
    case '$':
        return n < 0 ? end + 1 : end + 1 + n + 2;
    case '*':
    case '~':
    case '%':
        for (i = 0, p = end + 1; i < (p[0] == '\0' ? 0 : n); i++)
            p = skip_reply(p);
        return p;
    default:
        fail_msg("not a reply: %.20s", p);
        return p;
    }
}

static void
check_all(const char *input, const char *begins)
{
    struct resp_driver d;
    const char *p, *end;

    resp_driver_init(&d, 1000, 10);
    d.answers = true;
    conversation_feed(&d.talk, span_str(input));
    p = conversation_said(&d.talk);
    assert_memory_equal(p, begins, strlen(begins));
    end = p + buf_size(&d.talk.said);
    while (p < end)
        p = skip_reply(p);
    assert_ptr_equal(p, end);
    conversation_fini(&d.talk);
}

static void
resp_catalogue_is_whole(void **state)
{
    char expected[64];

    (void)state;
    snprintf(expected, sizeof(expected), "*%zu\r\n*10\r\n$4\r\nmget\r\n:-2\r\n",
             resp_nverbs);
    check_all("COMMAND\n", expected);
    check_all("COMMAND INFO\n", expected);
    snprintf(expected, sizeof(expected), ":%zu\r\n", resp_nverbs);
    check_all("COMMAND COUNT\n", expected);
    snprintf(expected, sizeof(expected), "*%zu\r\n$4\r\nmget\r\n", resp_nverbs);
    check_all("COMMAND LIST\n", expected);
    snprintf(expected, sizeof(expected), "*%zu\r\n$4\r\nmget\r\n*6\r\n", 2 * resp_nverbs);
    check_all("COMMAND DOCS\n", expected);
    check_all("COMMAND DOCS nosuch\n", "*0\r\n");
    check_all("COMMAND DOCS nosuch GET\n", "*2\r\n$3\r\nget\r\n*6\r\n$7\r\nsummary\r\n");
    check_all("CLIENT HELP\nCOMMAND HELP\nCONFIG HELP\n", "*11\r\n+getname: ");
}

static void
resp_catalogue_says_where_keys_stand(void **state)
{
    (void)state;
    resp_check_replies(
        "COMMAND INFO get nosuch\n",
        "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n"
        ":1\r\n*1\r\n+@read\r\n*0\r\n*0\r\n*0\r\n$-1\r\n");
    resp_check_replies(
        "COMMAND INFO exists echo\n",
        "*2\r\n*10\r\n$6\r\nexists\r\n:-2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n"
        ":-1\r\n:1\r\n*1\r\n+@read\r\n*0\r\n*0\r\n*0\r\n"
        "*10\r\n$4\r\necho\r\n:2\r\n*2\r\n+loading\r\n+fast\r\n:0\r\n:0\r\n:0\r\n"
        "*1\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resp_catalogue_is_whole),
        cmocka_unit_test(resp_catalogue_says_where_keys_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
