/*
 * test_hash.c - SipHash-1-3 as everybody computes it, and never a byte too far.
 */
#include "common/hash.h"

#include "common/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* clang-format off */
/* Key 00 01 .. 0f, message 00 01 .. n-1 for n = 0 .. 63: what the authors' reference
 * implementation gives with one and three rounds; the tests of Rust's and OCaml's
 * libraries hold the same values. */
static const uint64_t known[] = {
    0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu,
    0xcf75576088d38328u, 0xdef9d52f49533b67u, 0xc50d2b50c59f22a7u, 0xd3927d989bb11140u,
    0x369095118d299a8eu, 0x25a48eb36c063de4u, 0x79de85ee92ff097fu, 0x70c118c1f94dc352u,
    0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u, 0xd320d86d2a519956u,
    0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu, 0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu,
    0xc0dc2f46a6cce040u, 0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u,
    0xf464aeb267349c8cu, 0x45cd5928705b0979u, 0x3a3e35e3ca9913a5u, 0xa91dc74e4ade3b35u,
    0xfb0bed02ef6cd00du, 0x88d93cb44ab1e1f4u, 0x540f11d643c5e663u, 0x2370dd1f8c21d1bcu,
    0x81157b6c16a7b60du, 0x4d54b9e57a8ff9bfu, 0x759f12781f2a753eu, 0xcea1a3bebf186b91u,
    0x2cf508d3ada26206u, 0xb6101c2da3c33057u, 0xb3f47496ae3a36a1u, 0x626b57547b108392u,
    0xc1d2363299e41531u, 0x667cc1923f1ad944u, 0x65704ffec8138825u, 0x24f280d1c28949a6u,
    0xc2ca1cedfaf8876bu, 0xc2164bfc9f042196u, 0xa16e9c9368b1d623u, 0x49fb169c8b5114fdu,
    0x9f3143f8df074c46u, 0xc6fdaf2412cc86b3u, 0x7eaf49d10a52098fu, 0x1cf313559d292f9au,
    0xc44a30dda2f41f12u, 0x36fae98943a71ed0u, 0x318fb34c73f0bce6u, 0xa27abf3670a7e980u,
    0xb4bcc0db243c6d75u, 0x23f8d852fdb71513u, 0x8f035f4da67d8a08u, 0xd89cd0e5b7e8f148u,
    0xf6f4e6bcf7a644eeu, 0xaec59ad80f1837f2u, 0xc3b2f6154b6694e0u, 0x9d199062b7bbb3a8u,
};
/* clang-format on */

/* Hashes a copy that ends where its block ends, 'shift' bytes off alignment. */
static uint64_t
hash_exact(const struct hash_key *key, const char *bytes, size_t n, size_t shift)
{
    char *block = malloc(n + shift == 0 ? 1 : n + shift);
    uint64_t h;

    assert_non_null(block);
    memcpy(block + shift, bytes, n);
    h = hash_bytes(key, span_of(block + shift, n));
    free(block);
    return h;
}

static void
counted_bytes(char *out, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = (char)i;
}

static void
hash_gives_the_known_values(void **state)
{
    static const struct hash_key key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
    static const struct hash_key zero = { 0, 0 };
    char bytes[ARRAY_LEN(known)];
    size_t n, shift;

    (void)state;
    counted_bytes(bytes, sizeof(bytes));
    for (n = 0; n < ARRAY_LEN(known); n++) {
        for (shift = 0; shift < 8; shift++)
            assert_int_equal(hash_exact(&key, bytes, n, shift), known[n]);
    }
    assert_int_equal(hash_bytes(&zero, SPAN("")), 0xd1fba762150c532cu);
}

static void
hash_depends_on_every_bit_of_key_and_message(void **state)
{
    struct hash_key key = { 1, 2 };
    char bytes[17] = "0123456789abcdef";
    uint64_t plain = hash_bytes(&key, span_of(bytes, 16));
    unsigned bit;

    (void)state;
    for (bit = 0; bit < 128; bit++) {
        struct hash_key other = key;

        *(bit < 64 ? &other.k0 : &other.k1) ^= (uint64_t)1 << bit % 64;
        assert_int_not_equal(hash_bytes(&other, span_of(bytes, 16)), plain);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_not_equal(hash_bytes(&key, span_of(bytes, 16)), plain);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(hash_bytes(&key, span_of(bytes, 16)), plain);
    assert_int_not_equal(hash_bytes(&key, span_of(bytes, 17)), plain); /* one NUL more */
}

static void
hash_key_is_another_one_each_time(void **state)
{
    struct hash_key a, b;

    (void)state;
    hash_key_init(&a);
    hash_key_init(&b);
    assert_true(a.k0 != b.k0 && a.k1 != b.k1);
    assert_int_not_equal(hash_bytes(&a, SPAN("7")), hash_bytes(&b, SPAN("7")));
}

static void
hash_of_no_bytes_needs_no_address(void **state)
{
    static const struct hash_key key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };

    (void)state;
    assert_int_equal(hash_bytes(&key, span_of(NULL, 0)), known[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_gives_the_known_values),
        cmocka_unit_test(hash_depends_on_every_bit_of_key_and_message),
        cmocka_unit_test(hash_key_is_another_one_each_time),
        cmocka_unit_test(hash_of_no_bytes_needs_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
