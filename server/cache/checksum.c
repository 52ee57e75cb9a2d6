/*
 * checksum.c - CRC-32C over words that others may be writing.
 *
 * The loops are written once, as inline functions of the step for one word, and
 * compiled once for each kind of step.
 */
#include "server/cache/checksum.h"

#include "common/compiler.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* Castagnoli's, bits reversed */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Sums of 32 bits in words of 64: to cut them down after each step is a fourth of what a
 * step takes. */
typedef uint64_t step_fn(uint64_t crc, uint64_t word);

/* tables[k][b]: what byte b does to the sum when k more bytes follow it. */
static uint32_t tables[8][256];

static __attribute__((constructor)) void
make_tables(void)
{
    uint32_t crc;
    size_t b, k;

    for (b = 0; b < 256; b++) {
        crc = (uint32_t)b;
        for (k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][b] = crc;
    }
    for (k = 1; k < 8; k++) {
        for (b = 0; b < 256; b++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
    }
}

ALWAYS_INLINE uint64_t
step_portable(uint64_t crc, uint64_t word)
{
    uint64_t sum = 0;
    size_t k;

    word ^= crc;
    for (k = 0; k < 8; k++)
        sum ^= tables[7 - k][word >> (8 * k) & 0xff];
    return sum;
}

ALWAYS_INLINE uint64_t
load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Word 'i', copied to its place in 'to', if there is one. */
ALWAYS_INLINE uint64_t
carry(char *to, size_t i, const _Atomic uint64_t *words)
{
    uint64_t value = load(&words[i]);

    if (to != NULL)
        memcpy(to + 8 * i, &value, sizeof(value));
    return value;
}

/* 'n' words into the lanes. */
ALWAYS_INLINE void
feed(step_fn *step, uint64_t lane[3], const _Atomic uint64_t *words, size_t n, char *to)
{
    uint64_t a = lane[0], b = lane[1], c = lane[2];
    size_t i;

    for (i = 0; i + 3 <= n; i += 3) {
        a = step(a, carry(to, i, words));
        b = step(b, carry(to, i + 1, words));
        c = step(c, carry(to, i + 2, words));
    }
    if (i < n)
        a = step(a, carry(to, i, words));
    if (i + 1 < n)
        b = step(b, carry(to, i + 1, words));
    lane[0] = a;
    lane[1] = b;
    lane[2] = c;
}

/* Each value of a lane gives another sum, and lanes do not cancel: they are sums modulo
 * the same polynomial, so joined by anything linear (exclusive or, one more step) the
 * same bit flipped in two words of like places would go unnoticed.  The factors are
 * those of MurmurHash3's last step (Appleby). */
static inline uint32_t
join(uint32_t sum, uint32_t lane)
{
    sum = (sum ^ sum >> 16) * 0x85ebca6bu;
    sum = (sum ^ sum >> 13) * 0xc2b2ae35u;
    return (sum ^ sum >> 16) + lane;
}

ALWAYS_INLINE uint32_t
copy_words(step_fn *step, uint32_t crc, const _Atomic uint64_t *words, size_t head,
           size_t bytes, char *to)
{
    uint64_t lane[3] = { crc, ~0u, ~0u };
    size_t n = bytes / 8;
    uint64_t value;

    feed(step, lane, words, head, NULL);
    words += head;
    if (to != NULL)
        feed(step, lane, words, n, to);
    else
        feed(step, lane, words, n, NULL);
    if (bytes % 8 != 0) {
        value = load(&words[n]);
        if (to != NULL)
            memcpy(to + 8 * n, &value, bytes % 8);
        lane[2] = step(lane[2], value);
    }
    return join(join((uint32_t)lane[0], (uint32_t)lane[1]), (uint32_t)lane[2]);
}

static uint32_t
copy_portable(uint32_t crc, const _Atomic uint64_t *words, size_t head, size_t bytes,
              char *to)
{
    return copy_words(step_portable, crc, words, head, bytes, to);
}

static const struct checksum portable = { "portable", copy_portable };

const struct checksum *
checksum_portable(void)
{
    return &portable;
}

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("sse4.2")))

static inline HARDWARE uint64_t
step_hardware(uint64_t crc, uint64_t word)
{
    return _mm_crc32_u64(crc, word);
}

static HARDWARE uint32_t
copy_hardware(uint32_t crc, const _Atomic uint64_t *words, size_t head, size_t bytes,
              char *to)
{
    return copy_words(step_hardware, crc, words, head, bytes, to);
}

static const struct checksum hardware = { "sse4.2", copy_hardware };

const struct checksum *
checksum_best(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") ? &hardware : &portable;
}
#else
const struct checksum *
checksum_best(void)
{
    return &portable;
}
#endif
