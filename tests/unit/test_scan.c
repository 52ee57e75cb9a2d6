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

static unsigned
bits_slowly(const char *word, bool (*is)(unsigned char c))
{
    unsigned bits = 0, i;

    for (i = 0; i < 8; i++)
        bits |= (unsigned)is((unsigned char)word[i]) << i;
    return bits;
}

static bool
is_no_key_byte(unsigned char c)
{
    return c <= 0x20 || c == 0x7f;
}

static bool
is_blank(unsigned char c)
{
    return c == ' ';
}

/* Whatever its neighbours are: a borrow or a carry must not reach them. */
static void
test_each_of_eight_bytes_is_judged_by_itself(void **state)
{
    uint64_t random = 88172645463325252u;
    static const char near[] = "\0\x01\t\x1f\x20\x21!a~\x7f\x80\xa0\xa1\xff";
    size_t i, k;

    (void)state;
    for (i = 0; i < 200000; i++) {
        char word[8];

        for (k = 0; k < 8; k++)
            word[k] = i % 2 == 0 ? (char)random_next(&random)
                                 : near[random_next(&random) % (sizeof(near) - 1)];
        assert_int_equal(scan_bits(scan_not_key(scan_load(word))),
                         bits_slowly(word, is_no_key_byte));
        assert_int_equal(scan_bits(scan_equal(scan_load(word), ' ')),
                         bits_slowly(word, is_blank));
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
        cmocka_unit_test(test_each_of_eight_bytes_is_judged_by_itself),
        cmocka_unit_test(test_digits_are_digits_whatever_their_number),
        cmocka_unit_test(test_copies_are_whole_and_touch_nothing_else),
    };

    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
