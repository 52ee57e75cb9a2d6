/*
 * test_memcached_meta.c - conversations in memcached's dialect: mg me mn ms md ma.
 */
#include "tests/unit/memcached_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define DATA DRIVER_ITEM "\r\n"

static void
mg_shows_what_its_flags_ask_for(void **state)
{
    (void)state;
    talk_expect("mg 1\r\nmg 1 v\r\n", "HD\r\nVA 8\r\n" DATA);
    talk_expect("mg 1 k f s v c t O123 h l u\r\n",
                "VA 8 k1 f0 s8 c" DRIVER_CAS " t-1 O123 h0 l0\r\n" DATA);
    talk_expect("mg 1 O123 s k\r\n", "HD O123 s8 k1\r\n");
}

static void
mg_ignores_what_is_about_storing(void **state)
{
    (void)state;
    talk_expect("mg 1 T30 R30 E v\r\n", "CLIENT_ERROR invalid flag\r\n");
    talk_expect("mg 1 T30 R30 N30 P1 L1 v\r\n", "VA 8\r\n" DATA);
    talk_expect("mg m1 N30 T30 v\r\n", "EN\r\n");
}

static void
mg_says_en_and_repeats_key_and_opaque(void **state)
{
    (void)state;
    talk_expect("mg m1 v\r\nmg x1 v\r\n", "EN\r\nEN\r\n");
    talk_expect("mg m1 v k O7 s c\r\n", "EN km1 O7\r\n");
}

static void
mg_in_quiet_batches_ends_with_mn(void **state)
{
    (void)state;
    talk_expect("mg m1 v q\r\nmg 1 v k q\r\nmg x1 q k\r\nmn\r\n",
                "VA 8 k1\r\n" DATA "MN\r\n");
}

static void
mg_fetches_on_condition(void **state)
{
    (void)state;
    talk_expect("mg 1 v c C" DRIVER_CAS "\r\n", "HD c" DRIVER_CAS "\r\n");
    talk_expect("mg 1 C" DRIVER_CAS " v k s\r\n", "HD k1 s8\r\n");
    talk_expect("mg 1 v C5\r\n", "VA 8\r\n" DATA);
    talk_expect("mg m1 v C" DRIVER_CAS "\r\n", "EN\r\n");
    talk_expect("mg 1 v Cx\r\n", "CLIENT_ERROR bad token in command line format\r\n");
}

static void
mg_takes_keys_in_base64(void **state)
{
    (void)state;
    talk_expect("mg Zm9v b k v\r\n", "VA 8 kZm9v b\r\n" DATA);
    talk_expect("mg bWlzcw== k b O1\r\n", "EN kbWlzcw== b O1\r\n"); /* miss */
    talk_expect("mg Zm9 b\r\nmg Zm*v b\r\nmg ==== b\r\nmg Z=9v b\r\n",
                "CLIENT_ERROR error decoding key\r\nCLIENT_ERROR error decoding key\r\n"
                "CLIENT_ERROR error decoding key\r\nCLIENT_ERROR error decoding key\r\n");
}

static void
mg_tells_what_is_wrong_with_its_flags(void **state)
{
    (void)state;
    talk_expect("mg\r\nmg 1 v v\r\nmg 1 !\r\nmg 1 Tx\r\nmg 1 Fx\r\nmg 1 M\r\n",
                "ERROR\r\nCLIENT_ERROR duplicate flag\r\nCLIENT_ERROR invalid flag\r\n"
                "CLIENT_ERROR bad token in command line format\r\n"
                "CLIENT_ERROR bad command line format\r\n"
                "CLIENT_ERROR incorrect length for M token\r\n");
    talk_expect("mg 1 O1234567890123456789012345678901\r\n",
                "HD O1234567890123456789012345678901\r\n");
    talk_expect("mg 1 O12345678901234567890123456789012\r\n",
                "CLIENT_ERROR opaque token too long\r\n");
    talk_expect("mg 1 k k k k k k k k k k k k k k k k k k\r\n",
                "CLIENT_ERROR options flags are too long\r\n");
}

static void
me_describes_an_item(void **state)
{
    (void)state;
    talk_expect("me 1\r\nme m1\r\nme x1\r\n", "ME 1 exp=-1 la=0 cas=" DRIVER_CAS
                                              " fetch=no cls=0 size=8\r\nEN\r\nEN\r\n");
    talk_expect("me\r\nme Z b\r\n", "CLIENT_ERROR bad command line format\r\n"
                                    "CLIENT_ERROR bad command line format\r\n");
    talk_expect("me Zm9v b\r\n",
                "ME Zm9v exp=-1 la=0 cas=" DRIVER_CAS " fetch=no cls=0 size=8\r\n");
}

static void
ms_is_declined_behind_its_block(void **state)
{
    (void)state;
    talk_expect("ms 1 2\r\nab\r\nmn\r\n", "NS\r\nMN\r\n");
    talk_expect("ms 1 2 T0 F5 c k O9\r\nab\r\nms 1 0 q\r\n\r\nmn\r\n",
                "NS c0 k1 O9\r\nNS\r\nMN\r\n");
    talk_expect("ms Zm9v 2 k b\r\nab\r\nmn\r\n", "NS kZm9v b\r\nMN\r\n");
    talk_expect("ms 1 2 C5 k\r\nab\r\nms m1 2 C5 MR k c\r\nab\r\nms 1 2 C5 ME\r\nab\r\n",
                "EX k1\r\nNF km1 c0\r\nNS\r\n");
}

static void
ms_tells_what_is_wrong_and_drops_the_block_it_knows_of(void **state)
{
    (void)state;
    talk_expect("ms 1 2 q\r\nabcdeh\r\nmn\r\n",
                "CLIENT_ERROR bad data chunk\r\nERROR\r\nMN\r\n");
    talk_expect(
        "ms 1 2 MX\r\nab\r\nms 1 2 !\r\nXX\r\nms 1 2 Oo Oo\r\n*1\r\nmn\r\n",
        "CLIENT_ERROR invalid mode for ms M token\r\nCLIENT_ERROR invalid flag\r\n"
        "CLIENT_ERROR duplicate flag\r\nMN\r\n");
    talk_expect("ms 1\r\nms 1 -1\r\nms 1 2147483646\r\nms 1 S2\r\nms\r\n",
                "CLIENT_ERROR bad command line format\r\n"
                "CLIENT_ERROR bad command line format\r\n"
                "CLIENT_ERROR bad command line format\r\n"
                "CLIENT_ERROR bad command line format\r\nERROR\r\n");
}

/* What a block holds back is bounded; these are the longest words there are. */
static void
ms_holds_the_longest_words(void **state)
{
    char line[800], answer[800], key[251];

    (void)state;
    memset(key, 'k', 250);
    key[250] = '\0';
    snprintf(line, sizeof(line), "ms %s 1 C1 k c O%031d\r\nx\r\n", key, 0);
    snprintf(answer, sizeof(answer), "EX k%s c0 O%031d\r\n", key, 0);
    talk_expect(line, answer);
    memset(key, 'Q', 248);
    key[248] = '\0';
    snprintf(line, sizeof(line), "ms %s 1 b C1 k c O%031d\r\nx\r\n", key, 0);
    snprintf(answer, sizeof(answer), "EX k%s b c0 O%031d\r\n", key, 0);
    talk_expect(line, answer);
    snprintf(line, sizeof(line), "ms %.250s 1 b%0300d k%0100d c%d\r\nx\r\n", key, 0, 0,
             0);
    snprintf(answer, sizeof(answer), "NS k%s b c0\r\n", key);
    talk_expect(line, answer);
}

static void
md_forgets_and_ma_finds_nothing_to_change(void **state)
{
    (void)state;
    talk_expect("md 1\r\nmd 1 q k O5\r\nmd MQ== b k\r\n",
                "NF\r\nNF k1 O5\r\nNF kMQ== b\r\n");
    talk_expect("md o1\r\nmd o1 q\r\nmd bzE= b k O5\r\n", "HD\r\nHD kbzE= b O5\r\n");
    talk_expect_denied("md o1 q\r\n",
                       "CLIENT_ERROR invalidation is not allowed from this address\r\n");
    talk_expect("md\r\nmd 1 k k\r\n",
                "ERROR\r\nCLIENT_ERROR invalid or duplicate flag\r\n");
    talk_expect("ma m1 k O5\r\nma 1 N0 J5 D2 MI\r\n",
                "NF km1 O5\r\n"
                "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
    talk_expect(
        "ma 1 C5 k\r\nma 1 C" DRIVER_CAS "\r\n",
        "EX k1\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
    talk_expect("ma 1 MX\r\nma 1 Dx\r\nma\r\n",
                "CLIENT_ERROR invalid mode for ma M token\r\n"
                "CLIENT_ERROR invalid or duplicate flag\r\nERROR\r\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mg_shows_what_its_flags_ask_for),
        cmocka_unit_test(mg_ignores_what_is_about_storing),
        cmocka_unit_test(mg_says_en_and_repeats_key_and_opaque),
        cmocka_unit_test(mg_in_quiet_batches_ends_with_mn),
        cmocka_unit_test(mg_fetches_on_condition),
        cmocka_unit_test(mg_takes_keys_in_base64),
        cmocka_unit_test(mg_tells_what_is_wrong_with_its_flags),
        cmocka_unit_test(me_describes_an_item),
        cmocka_unit_test(ms_is_declined_behind_its_block),
        cmocka_unit_test(ms_tells_what_is_wrong_and_drops_the_block_it_knows_of),
        cmocka_unit_test(ms_holds_the_longest_words),
        cmocka_unit_test(md_forgets_and_ma_finds_nothing_to_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
