/*
 * test_memcached.c - conversations in memcached's dialect: get and the classic verbs.
 *
 * Each is held once for each byte it can be cut at (see talk_expect).  That the answers
 * are those of a real memcached is tests/integration/test_memcached_reference.py's to say.
 */
#include "tests/unit/memcached_driver.h"

#include "server/item/cas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BAD "CLIENT_ERROR bad command line format\r\n"
#define HIT(key) "VALUE " key " 0 8\r\n" DRIVER_ITEM "\r\n"
#define HIT_CAS(key) "VALUE " key " 0 8 " DRIVER_CAS "\r\n" DRIVER_ITEM "\r\n"

static void
get_answers_what_is_there_and_end(void **state)
{
    (void)state;
    talk_expect("get 1\r\n", HIT("1") "END\r\n");
    talk_expect("get  1  2 \r\nget 007\n",
                HIT("1") HIT("2") "END\r\n" HIT("007") "END\r\n");
    talk_expect("gets 1 1\r\n", HIT_CAS("1") HIT_CAS("1") "END\r\n");
    talk_expect("gat 0 1\r\ngats -1 1\r\n", HIT("1") "END\r\n" HIT_CAS("1") "END\r\n");
    talk_expect("gat 0\r\n", "END\r\n");
}

static void
get_leaves_out_what_is_missing_and_what_failed(void **state)
{
    (void)state;
    talk_expect("get m1 1 x1 2 m2\r\n", HIT("1") HIT("2") "END\r\n");
    talk_expect("get m1\r\nget x1\r\n", "END\r\nEND\r\n");
    talk_expect("get old\r\n", HIT("old") "END\r\n"); /* STALE: an item like any */
}

static void
get_says_no_value_when_anything_is_wrong(void **state)
{
    char line[600], key[252];

    (void)state;
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    snprintf(line, sizeof(line), "get 1 %s\r\n", key);
    talk_expect(line, BAD);
    snprintf(line, sizeof(line), "gets %s 1\r\nget 1\r\n", key);
    talk_expect(line, BAD HIT("1") "END\r\n");
    talk_expect("get\r\ngets \r\ngat\r\n", "ERROR\r\nERROR\r\nERROR\r\n");
    talk_expect("gat x 1\r\n", "CLIENT_ERROR invalid exptime argument\r\n");
}

static void
get_takes_keys_of_1_to_250_bytes(void **state)
{
    char line[300], answer[600], key[251];
    size_t n;

    (void)state;
    for (n = 1; n <= 250; n++) {
        memset(key, 'a' + (int)(n % 12), n);
        key[n] = '\0';
        snprintf(line, sizeof(line), "get %s\r\n", key);
        snprintf(answer, sizeof(answer), "VALUE %s 0 8\r\n" DRIVER_ITEM "\r\nEND\r\n",
                 key);
        talk_expect(line, answer);
    }
}

static void
get_bounds_its_keys(void **state)
{
    struct talk t;

    (void)state;
    talk_init(&t, 2);
    conversation_feed(&t.conversation, SPAN("get 1 2\r\nget 1 2 3\r\n"));
    assert_string_equal(conversation_said(&t.conversation),
                        HIT("1")
                            HIT("2") "END\r\n"
                                     "CLIENT_ERROR more keys than limits.ids allows\r\n");
    conversation_fini(&t.conversation);
}

static void
a_block_is_swallowed_and_declined(void **state)
{
    (void)state;
    talk_expect("set 1 0 0 3\r\nabc\r\nget 1\r\n", "NOT_STORED\r\n" HIT("1") "END\r\n");
    talk_expect("add 1 0 0 0\r\n\r\nreplace 1 0 0 2\nab\r\nmn\r\n",
                "NOT_STORED\r\nNOT_STORED\r\nMN\r\n");
    talk_expect("append 1 0 0 9\r\nget 1\r\n\r\n\r\nprepend 1 4 5 1 x\r\nB\r\n",
                "NOT_STORED\r\nNOT_STORED\r\n");
}

/* Bytes that begin another dialect, or end a line, are just bytes in a block. */
static void
a_block_may_hold_anything(void **state)
{
    (void)state;
    talk_expect("set 1 0 0 4\r\n*1\r\n\r\nmn\r\n", "NOT_STORED\r\nMN\r\n");
    talk_expect("set 1 0 0 4\r\nPING\r\nmn\r\n", "NOT_STORED\r\nMN\r\n");
    talk_expect("set 1 0 0 2\r\n\x80\x16\r\nmn\r\n", "NOT_STORED\r\nMN\r\n");
    talk_expect("set 1 0 0 14\r\nGET / HTTP/1.1\r\nmn\r\n", "NOT_STORED\r\nMN\r\n");
}

static void
a_block_that_does_not_end_right_is_told(void **state)
{
    (void)state;
    talk_expect("set 1 0 0 2\r\nabcdeh\r\nmn\r\n",
                "CLIENT_ERROR bad data chunk\r\nERROR\r\nMN\r\n");
    talk_expect("set 1 0 0 2\r\nab\rXmn\r\n", "CLIENT_ERROR bad data chunk\r\nMN\r\n");
    talk_expect("set 1 0 0 2\r\nabX\nmn\r\n", "CLIENT_ERROR bad data chunk\r\nMN\r\n");
    talk_expect("set 1 0 0 2 noreply\r\nabX\nmn\r\n", "MN\r\n");
}

static void
a_wrong_length_has_no_block(void **state)
{
    (void)state;
    talk_expect("set 1 0 0 -1\r\nmn\r\n", BAD "MN\r\n");
    talk_expect("set 1 0 0 2147483646\r\nmn\r\n", BAD "MN\r\n");
    talk_expect("set 1 0 0 99999999999999999999\r\nmn\r\n", BAD "MN\r\n");
    talk_expect("set 1 0 0 -9223372036854775808\r\nmn\r\n", BAD "MN\r\n");
    talk_expect("set 1 0 0 2x noreply\r\nmn\r\n", "MN\r\n");
    talk_expect("set 1 0 0\r\nset 1 0 0 1 2 3\r\n", "ERROR\r\nERROR\r\n");
}

static void
a_huge_block_is_counted_not_kept(void **state)
{
    const size_t length = 2147483645;
    size_t left = length, n = (size_t)1 << 24;
    char *zeros = calloc(n, 1);
    struct talk t;

    (void)state;
    assert_non_null(zeros);
    talk_init(&t, 100);
    conversation_feed(&t.conversation, SPAN("set 1 0 0 2147483645\r\n"));
    for (; left > n; left -= n) {
        size_t consumed;
        struct command c;

        /* The driver would copy them. */
        assert_int_equal(protocol_text.parse(&t.conversation.parser,
                                             &t.conversation.session, span_of(zeros, n),
                                             &consumed, &c),
                         PARSE_NOTHING);
        assert_int_equal(consumed, n);
    }
    conversation_feed(&t.conversation, span_of(zeros, left));
    assert_string_equal(conversation_said(&t.conversation), "");
    conversation_feed(&t.conversation, SPAN("\r\nmn\r\n"));
    assert_string_equal(conversation_said(&t.conversation), "NOT_STORED\r\nMN\r\n");
    conversation_fini(&t.conversation);
    free(zeros);
}

static void
cas_says_whether_there_is_such_an_item(void **state)
{
    (void)state;
    talk_expect("cas 1 0 0 1 5\r\na\r\n", "EXISTS\r\n");
    talk_expect("cas m1 0 0 1 5\r\na\r\ncas x1 0 0 1 5\r\na\r\n",
                "NOT_FOUND\r\nNOT_FOUND\r\n");
    talk_expect("cas 1 0 0 1 5 noreply\r\na\r\nmn\r\n", "MN\r\n");
    talk_expect("cas 1 0 0 1 x\r\ncas 1 0 0 1\r\n", BAD "ERROR\r\n");
}

static void
what_would_change_an_item_is_declined(void **state)
{
    (void)state;
    talk_expect("touch 1 0\r\ntouch m1 0\r\ntouch 1 0 noreply\r\nmn\r\n",
                "TOUCHED\r\nNOT_FOUND\r\nMN\r\n");
    talk_expect("incr 1 5\r\ndecr m1 5\r\nincr 1 5 noreply\r\nmn\r\n",
                "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
                "NOT_FOUND\r\nMN\r\n");
    talk_expect("incr 1 -5\r\ntouch 1 x\r\n",
                "CLIENT_ERROR invalid numeric delta argument\r\n"
                "CLIENT_ERROR invalid exptime argument\r\n");
    talk_expect(
        "delete 1\r\ndelete 1 0\r\ndelete 1 noreply\r\ndelete 1 0 noreply\r\nmn\r\n",
        "NOT_FOUND\r\nNOT_FOUND\r\nMN\r\n");
    talk_expect("delete o1\r\ndelete o1 noreply\r\nmn\r\n", "DELETED\r\nMN\r\n");
    talk_expect_denied("delete o1\r\nflush_all\r\n",
                       "CLIENT_ERROR invalidation is not allowed from this address\r\n"
                       "CLIENT_ERROR invalidation is not allowed from this address\r\n");
    talk_expect("delete 1 5\r\n", "CLIENT_ERROR bad command line format.  "
                                  "Usage: delete <key> [noreply]\r\n");
    talk_expect("flush_all\r\nflush_all 5\r\nflush_all noreply\r\nflush_all x\r\n",
                "OK\r\nOK\r\nCLIENT_ERROR invalid exptime argument\r\n");
    talk_expect("verbosity 1\r\nverbosity noreply\r\nverbosity x\r\nverbosity\r\n",
                "OK\r\n" BAD "ERROR\r\n");
}

static void
stats_has_the_subjects_of_memcached(void **state)
{
    (void)state;
    talk_expect("stats items\r\nstats conns\r\nstats reset\r\n",
                "END\r\nEND\r\nRESET\r\n");
    talk_expect("stats slabs\r\n",
                "STAT active_slabs 0\r\nSTAT total_malloced 0\r\nEND\r\n");
    talk_expect("stats noreply\r\nstats nonsense\r\n", "ERROR\r\nERROR\r\n");
}

static void
verbs_that_are_not_ours_are_errors(void **state)
{
    (void)state;
    talk_expect(
        "shutdown\r\nwatch\r\nlru mode flat\r\nslabs\r\nlru_crawler\r\n"
        "cache_memlimit 8\r\nmisbehave\r\nmx 1\r\n",
        "ERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\n");
}

static void
a_tag_belongs_to_the_native_dialect(void **state)
{
    (void)state;
    talk_expect("#a get 1\r\n#b stats items\r\n",
                "#a ERROR syntax a verb of memcached takes no tag\r\n"
                "#b ERROR syntax this subject takes no tag\r\n");
}

static void
ten_thousand_keys_in_a_thousand_pieces(void **state)
{
    struct buf line = BUF_INIT, expected = BUF_INIT;
    size_t at = 0, i, n;
    struct talk t;

    (void)state;
    srand(7);
    BUF_APPEND_LIT(&line, "get");
    for (i = 0; i < 10000; i++) {
        buf_append_fmt(&line, " %zu", i);
        buf_append_fmt(&expected, "VALUE %zu 0 8\r\n" DRIVER_ITEM "\r\n", i);
    }
    BUF_APPEND_LIT(&line, "\r\n");
    BUF_APPEND_LIT(&expected, "END\r\n");
    buf_append_char(&expected, '\0');
    talk_init(&t, 10000);
    for (; at < line.len; at += n) {
        n = 1 + (size_t)rand() % (2 * line.len / 1000);
        n = n < line.len - at ? n : line.len - at;
        conversation_feed(&t.conversation, span_of(line.data + at, n));
    }
    assert_int_equal(t.fetches, 1);
    assert_int_equal(t.keys, 10000);
    assert_string_equal(conversation_said(&t.conversation), expected.data);
    conversation_fini(&t.conversation);
    buf_fini(&line);
    buf_fini(&expected);
}

static void
a_cas_is_a_function_of_the_bytes(void **state)
{
    char digits[32];

    (void)state;
    snprintf(digits, sizeof(digits), "%llu",
             (unsigned long long)item_cas(SPAN(DRIVER_ITEM)));
    assert_string_equal(digits, DRIVER_CAS);
    assert_true(item_cas(SPAN("{\"id\":8}")) != item_cas(SPAN(DRIVER_ITEM)));
    assert_true(item_cas(SPAN("")) > 0 && item_cas(SPAN("")) <= INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_answers_what_is_there_and_end),
        cmocka_unit_test(get_leaves_out_what_is_missing_and_what_failed),
        cmocka_unit_test(get_says_no_value_when_anything_is_wrong),
        cmocka_unit_test(get_takes_keys_of_1_to_250_bytes),
        cmocka_unit_test(get_bounds_its_keys),
        cmocka_unit_test(a_block_is_swallowed_and_declined),
        cmocka_unit_test(a_block_may_hold_anything),
        cmocka_unit_test(a_block_that_does_not_end_right_is_told),
        cmocka_unit_test(a_wrong_length_has_no_block),
        cmocka_unit_test(a_huge_block_is_counted_not_kept),
        cmocka_unit_test(cas_says_whether_there_is_such_an_item),
        cmocka_unit_test(what_would_change_an_item_is_declined),
        cmocka_unit_test(stats_has_the_subjects_of_memcached),
        cmocka_unit_test(verbs_that_are_not_ours_are_errors),
        cmocka_unit_test(a_tag_belongs_to_the_native_dialect),
        cmocka_unit_test(ten_thousand_keys_in_a_thousand_pieces),
        cmocka_unit_test(a_cas_is_a_function_of_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
