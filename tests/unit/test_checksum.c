/*
 * test_checksum.c - the same sum with hardware and without, of every word, in any size.
 */
#include "server/cache/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS 64

static _Atomic uint64_t words[WORDS];

static void
fill(void)
{
    uint64_t x = 88172645463325252u;
    size_t i;

    for (i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = x;
    }
}

/* A single word shows the plain CRC-32C. */
static void
checksum_step_is_castagnolis(void **state)
{
    const struct checksum *sums[] = { checksum_portable(), checksum_best() };
    uint64_t word;
    uint32_t expected = ~0u;
    size_t i, k;

    (void)state;
    memcpy(&word, "12345678", 8);
    words[0] = word;
    /* The lanes hold ~0 and the word, 0, and 0; summing them is one more step each. */
    for (i = 0; i < 8; i++) {
        expected ^= (uint8_t) "12345678"[i];
        for (k = 0; k < 8; k++)
            expected = expected >> 1 ^ (expected & 1 ? 0x82f63b78u : 0);
    }
    assert_int_equal(~expected, 0x6087809a); /* of "12345678", as published tools say */
    for (k = 0; k < 16 * 8; k++)
        expected = expected >> 1 ^ (expected & 1 ? 0x82f63b78u : 0);
    for (i = 0; i < 2; i++)
        assert_int_equal(sums[i]->copy(~0u, words, 1, 0, NULL), expected);
}

static void
checksum_hardware_and_portable_agree(void **state)
{
    const struct checksum *best = checksum_best(), *portable = checksum_portable();
    char a[WORDS * 8 + 1], b[WORDS * 8 + 1];
    size_t head, bytes;
    uint32_t sum;

    (void)state;
    fill();
    for (head = 0; head < 8; head++) {
        for (bytes = 0; bytes <= (WORDS - 8) * 8; bytes++) {
            memset(a, 7, sizeof(a));
            memset(b, 7, sizeof(b));
            sum = best->copy(1, words, head, bytes, a);
            assert_int_equal(portable->copy(1, words, head, bytes, b), sum);
            assert_int_equal(best->copy(1, words, head, bytes, NULL), sum);
            assert_int_equal(portable->copy(1, words, head, bytes, NULL), sum);
            assert_memory_equal(a, (const char *)words + head * 8, bytes);
            assert_memory_equal(a, b, sizeof(a));
            assert_int_equal(a[bytes], 7);
        }
    }
}

static void
checksum_every_bit_counts(void **state)
{
    const struct checksum *best = checksum_best();
    uint32_t sum;
    size_t i;

    (void)state;
    fill();
    sum = best->copy(~0u, words, 5, (WORDS - 5) * 8, NULL);
    for (i = 0; i < WORDS * 64; i++) {
        words[i / 64] ^= (uint64_t)1 << i % 64;
        assert_int_not_equal(best->copy(~0u, words, 5, (WORDS - 5) * 8, NULL), sum);
        words[i / 64] ^= (uint64_t)1 << i % 64;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_step_is_castagnolis),
        cmocka_unit_test(checksum_hardware_and_portable_agree),
        cmocka_unit_test(checksum_every_bit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
