/*
 * test_checksum.c - the same sum with hardware and without, of every word, in any size.
 */
#include "server/cache/checksum.h"
#include "tests/random.h"

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
        words[i] = random_next(&x);
    }
}

/* CRC-32C bit by bit. */
static uint32_t
plain_sum(uint32_t crc, uint64_t word)
{
    size_t i;

    for (i = 0; i < 64; i++) {
        crc ^= (uint32_t)(word >> i & 1);
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

/* Two words are in two lanes; the last lane is added at the end, so that the difference
 * of two sums shows what a third word did to it. */
static void
checksum_step_is_castagnolis(void **state)
{
    const struct checksum *sums[] = { checksum_portable(), checksum_best() };
    uint32_t one, other;
    size_t i;
    uint64_t word;

    (void)state;
    memcpy(&word, "12345678", 8);
    assert_int_equal(~plain_sum(~0u, word), 0x6087809a); /* as published tools say */
    for (i = 0; i < 2; i++) {
        fill();
        words[2] = word;
        one = sums[i]->copy(~0u, words, 3, 0, NULL);
        words[2] = 0;
        other = sums[i]->copy(~0u, words, 3, 0, NULL);
        assert_int_equal(one - other, plain_sum(~0u, word) - plain_sum(~0u, 0));
    }
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

/* The sum of an entry as the cache takes it: item, then marks. */
static uint32_t
sum_of_two(size_t marks)
{
    const struct checksum *best = checksum_best();
    uint32_t sum = best->copy(~0u, words, 5, 300, NULL);

    return best->copy(sum, words + 43, 0, marks, NULL);
}

static void
checksum_every_bit_counts(void **state)
{
    uint32_t sum;
    size_t i, marks;

    (void)state;
    fill();
    for (marks = 0; marks <= 64; marks += 2) {
        sum = sum_of_two(marks);
        for (i = 0; i < (43 + marks / 8) * 64; i++) {
            words[i / 64] ^= (uint64_t)1 << i % 64;
            assert_int_not_equal(sum_of_two(marks), sum);
            words[i / 64] ^= (uint64_t)1 << i % 64;
        }
    }
}

static void
checksum_notices_words_that_change_places(void **state)
{
    uint64_t first;
    uint32_t sum;
    size_t i, k;

    (void)state;
    fill();
    sum = sum_of_two(20);
    for (i = 0; i < 43; i++) {
        for (k = 0; k < i; k++) {
            first = words[i];
            words[i] = words[k];
            words[k] = first;
            assert_int_not_equal(sum_of_two(20), sum);
            words[k] = words[i];
            words[i] = first;
            words[i] ^= 4;
            words[k] ^= 4;
            assert_int_not_equal(sum_of_two(20), sum);
            words[i] ^= 4;
            words[k] ^= 4;
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_step_is_castagnolis),
        cmocka_unit_test(checksum_hardware_and_portable_agree),
        cmocka_unit_test(checksum_every_bit_counts),
        cmocka_unit_test(checksum_notices_words_that_change_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
