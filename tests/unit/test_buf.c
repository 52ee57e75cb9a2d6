/*
 * test_buf.c - bytes that grow, move, fail once and say so at the end.
 */
#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void
assert_content(const struct buf *b, const char *expected)
{
    struct span s = buf_span(b);

    assert_int_equal(s.n, strlen(expected));
    if (s.n > 0)
        assert_memory_equal(s.p, expected, s.n);
}

static void
buf_appends_in_order(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    assert_content(&b, ""); /* without a block yet */
    BUF_APPEND_LIT(&b, "one ");
    buf_append_span(&b, SPAN("two "));
    buf_append_char(&b, '3');
    buf_append(&b, NULL, 0);
    buf_append_fmt(&b, " %s %d", "four", 5);
    assert_content(&b, "one two 3 four 5");
    assert_false(buf_failed(&b));
    buf_fini(&b);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
}

static void
buf_prints_every_u64(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    buf_append_u64(&b, 0);
    buf_append_char(&b, ' ');
    buf_append_u64(&b, 9);
    buf_append_char(&b, ' ');
    buf_append_u64(&b, 10);
    buf_append_char(&b, ' ');
    buf_append_u64(&b, UINT64_MAX);
    assert_content(&b, "0 9 10 18446744073709551615");
    buf_fini(&b);
}

static void
buf_keeps_its_bytes_while_it_grows(void **state)
{
    struct buf b = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < 100000; i++)
        buf_append_char(&b, (char)(i % 251));
    assert_int_equal(buf_size(&b), 100000);
    for (i = 0; i < 100000; i++)
        assert_int_equal((unsigned char)buf_span(&b).p[i], i % 251);
    assert_true(b.cap <= 2 * 100000 + 256);
    buf_fini(&b);
}

static void
buf_formats_text_longer_than_its_room(void **state)
{
    struct buf b = BUF_INIT;
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    BUF_APPEND_LIT(&b, "<");
    buf_append_fmt(&b, "%s>", text);
    assert_int_equal(buf_size(&b), 1001);
    assert_int_equal(buf_span(&b).p[1000], '>');
    buf_fini(&b);
}

static void
buf_reserve_gives_room_that_commit_takes(void **state)
{
    struct buf b = BUF_INIT;
    char *to;

    (void)state;
    to = buf_reserve(&b, 1000);
    assert_non_null(to);
    memset(to, 'y', 1000);
    assert_int_equal(buf_size(&b), 0);
    buf_commit(&b, 3);
    assert_content(&b, "yyy");
    buf_fini(&b);
}

static void
buf_consumes_from_the_front(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    BUF_APPEND_LIT(&b, "abcdef");
    buf_consume(&b, 2);
    assert_content(&b, "cdef");
    BUF_APPEND_LIT(&b, "g");
    assert_content(&b, "cdefg");
    buf_consume(&b, 0);
    assert_content(&b, "cdefg");
    buf_consume(&b, 5);
    assert_content(&b, "");
    assert_int_equal(b.off, 0); /* all the room is there again */
    buf_fini(&b);
}

static void
buf_that_is_consumed_as_it_fills_stays_small(void **state)
{
    struct buf b = BUF_INIT;
    size_t i, put = 0, taken = 0, j;

    (void)state;
    for (i = 0; i < 10000; i++) {
        for (j = 0; j < 100; j++)
            buf_append_char(&b, (char)(put++ % 251));
        while (buf_size(&b) > 150) {
            assert_int_equal((unsigned char)buf_span(&b).p[0], taken++ % 251);
            buf_consume(&b, 1);
        }
    }
    assert_true(b.cap <= 1024);
    buf_fini(&b);
}

static void
buf_fails_past_its_cap_and_remembers(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    BUF_APPEND_LIT(&b, "12345678");
    BUF_APPEND_LIT(&b, "90"); /* to the cap */
    assert_false(buf_failed(&b));
    BUF_APPEND_LIT(&b, "!");
    assert_true(buf_failed(&b));
    buf_consume(&b, 5);
    BUF_APPEND_LIT(&b, "!"); /* room by now, but a hole in the middle would be worse */
    assert_content(&b, "67890");
    assert_null(buf_reserve(&b, 1));
    buf_append_fmt(&b, "%d", 1);
    buf_append_u64(&b, 1);
    assert_content(&b, "67890");
    buf_clear(&b);
    assert_false(buf_failed(&b));
    BUF_APPEND_LIT(&b, "1234567890");
    assert_content(&b, "1234567890");
    buf_fini(&b);
    assert_int_equal(b.max, 10);
}

static void
buf_cap_counts_live_bytes_only(void **state)
{
    struct buf b;
    size_t i;

    (void)state;
    buf_init(&b, 10);
    for (i = 0; i < 1000; i++) {
        BUF_APPEND_LIT(&b, "12345");
        if (i > 0)
            buf_consume(&b, 5);
    }
    assert_false(buf_failed(&b));
    assert_content(&b, "12345");
    buf_fini(&b);
}

static void
buf_refuses_sizes_beyond_all_memory(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    BUF_APPEND_LIT(&b, "kept");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(buf_failed(&b));
    assert_content(&b, "kept");
    buf_fini(&b);
}

static void
buf_shrink_frees_only_large_empty_blocks(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    BUF_APPEND_LIT(&b, "x");
    buf_shrink(&b, 0); /* not empty */
    assert_content(&b, "x");
    buf_consume(&b, 1);
    buf_shrink(&b, 4096); /* not large */
    assert_non_null(b.data);
    buf_shrink(&b, 16);
    assert_null(b.data);
    BUF_APPEND_LIT(&b, "again");
    assert_content(&b, "again");
    buf_fini(&b);
}

static void
buf_clear_keeps_the_block(void **state)
{
    struct buf b = BUF_INIT;
    char *block;

    (void)state;
    BUF_APPEND_LIT(&b, "something");
    block = b.data;
    buf_clear(&b);
    assert_content(&b, "");
    BUF_APPEND_LIT(&b, "else");
    assert_ptr_equal(b.data, block);
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_appends_in_order),
        cmocka_unit_test(buf_prints_every_u64),
        cmocka_unit_test(buf_keeps_its_bytes_while_it_grows),
        cmocka_unit_test(buf_formats_text_longer_than_its_room),
        cmocka_unit_test(buf_reserve_gives_room_that_commit_takes),
        cmocka_unit_test(buf_consumes_from_the_front),
        cmocka_unit_test(buf_that_is_consumed_as_it_fills_stays_small),
        cmocka_unit_test(buf_fails_past_its_cap_and_remembers),
        cmocka_unit_test(buf_cap_counts_live_bytes_only),
        cmocka_unit_test(buf_refuses_sizes_beyond_all_memory),
        cmocka_unit_test(buf_shrink_frees_only_large_empty_blocks),
        cmocka_unit_test(buf_clear_keeps_the_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
