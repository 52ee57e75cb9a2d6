/*
 * test_scan.c - eight bytes at a glance, against one at a time.
 */
#include "common/scan.h"
#include "tests/random.h"
#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_few_bytes_are_loaded_low_first(void **state)
{
    static const char bytes[] = "\x81\x02\x93\x04\xa5\x06\xb7";
    size_t n, i;

    (void)state;
    for (n = 0; n < 8; n++) {
        struct span copy = exact_copy(span_of(bytes, n));
        uint64_t expected = 0;

        for (i = 0; i < n; i++)
            expected |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
        assert_int_equal(scan_load_few(copy.p, n), expected);
        exact_free(copy);
    }
}

/* Every byte at every place, between bytes that may stand in a key. */
static void
test_the_first_byte_that_no_key_may_hold_is_found(void **state)
{
    unsigned byte;
    size_t place;

    (void)state;
    for (byte = 0; byte < 256; byte++) {
        for (place = 0; place < 8; place++) {
            char word[8];
            uint64_t odd;
            bool may = byte > 0x20 && byte != 0x7f;

            memset(word, place % 2 == 0 ? '!' : 0xff, sizeof(word));
            word[place] = (char)byte;
            odd = scan_not_key(scan_load(word));
            assert_int_equal(odd == 0, may);
            if (!may)
                assert_int_equal(scan_first(odd), place);
            if (place < 7 && !may) {
                word[place + 1] = 0; /* those behind it change nothing */
                odd = scan_not_key(scan_load(word));
                assert_int_equal(scan_first(odd), place);
            }
        }
    }
}

static bool
all_digits_slowly(const char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
    }
    return n > 0;
}

static void
test_digits_are_digits_whatever_their_number(void **state)
{
    uint64_t random = 88172645463325252u;
    size_t n, place;
    unsigned byte;

    (void)state;
    for (n = 0; n < 40; n++) {
        char text[40];

        for (place = 0; place < n; place++)
            text[place] = (char)('0' + random_next(&random) % 10);
        for (place = 0; place < (n == 0 ? 1 : n); place++) {
            char kept = text[place];

            for (byte = 0; byte < 256; byte++) {
                struct span copy;

                text[place] = n == 0 ? kept : (char)byte;
                copy = exact_copy(span_of(text, n));
                assert_int_equal(scan_all_digits(copy.p, n), all_digits_slowly(text, n));
                exact_free(copy);
            }
            text[place] = kept;
        }
    }
}

static void
test_copies_are_whole_and_touch_nothing_else(void **state)
{
    char from[64], to[66];
    size_t n, i;

    (void)state;
    for (i = 0; i < sizeof(from); i++)
        from[i] = (char)(i + 1);
    for (n = 1; n < sizeof(from); n++) {
        struct span copy = exact_copy(span_of(from, n));

        memset(to, 0, sizeof(to));
        assert_ptr_equal(scan_copy(to + 1, copy.p, n), to + 1 + n);
        assert_int_equal(to[0], 0);
        assert_memory_equal(to + 1, from, n);
        assert_int_equal(to[1 + n], 0);
        exact_free(copy);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_bytes_are_loaded_low_first),
        cmocka_unit_test(test_the_first_byte_that_no_key_may_hold_is_found),
        cmocka_unit_test(test_digits_are_digits_whatever_their_number),
        cmocka_unit_test(test_copies_are_whole_and_touch_nothing_else),
    };

    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
