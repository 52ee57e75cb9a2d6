/*
 * scan.h - eight bytes at a glance.
 *
 * Owns: questions asked of a whole word at once (may these bytes stand in a JSON string
 * as they are? in a key? are they digits?), and copies and loads of a few bytes that
 * never touch a byte too many.
 * Promise: reads and writes inside [p, p + n) only; the same on either byte order.
 * Most text of most items is plain ASCII and most keys are a few digits, so this is
 * where the time of composing and of reading requests goes.
 */
#ifndef COMMON_SCAN_H
#define COMMON_SCAN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCAN_EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))
#define SCAN_HIGH SCAN_EVERY(0x80)

/* Eight bytes; the first one is the lowest of the result. */
static inline uint64_t
scan_load(const void *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof(w));
    return le64toh(w);
}

/* The 'n' < 8 bytes at 'p', zeros above them. */
static inline uint64_t
scan_load_few(const char *p, size_t n)
{
    if (n >= 4) {
        uint32_t head, tail;

        memcpy(&head, p, 4);
        memcpy(&tail, p + n - 4, 4);
        return le32toh(head) | (uint64_t)le32toh(tail) << 8 * (n - 4);
    }
    if (n == 0)
        return 0;
    /* All three are one byte, or two, where there are no more. */
    return (uint64_t)(unsigned char)p[0] |
           (uint64_t)(unsigned char)p[n / 2] << 8 * (n / 2) |
           (uint64_t)(unsigned char)p[n - 1] << 8 * (n - 1);
}

/* 0 when all eight bytes are printable ASCII other than " and \ (DEL passes: JSON
 * does not count it as a control character).  Otherwise the lowest bit set belongs to
 * the first byte that is not; a borrow can only spoil the bits above it. */
static inline uint64_t
scan_special(uint64_t w)
{
    return (w | (w - SCAN_EVERY(0x20)) | ((w ^ SCAN_EVERY('"')) - SCAN_EVERY(1)) |
            ((w ^ SCAN_EVERY('\\')) - SCAN_EVERY(1))) &
           SCAN_HIGH;
}

/* The high bit of each of the eight bytes that is 'byte', an ASCII character; exact, each
 * byte by itself. */
static inline uint64_t
scan_equal(uint64_t w, unsigned char byte)
{
    uint64_t other = w ^ SCAN_EVERY(byte);

    return ~(((other & ~SCAN_HIGH) + ~SCAN_HIGH) | other) & SCAN_HIGH;
}

/* The high bit of each of the eight bytes that no key may hold: blanks, control
 * characters, DEL; exact as well. */
static inline uint64_t
scan_not_key(uint64_t w)
{
    return (~((w | SCAN_HIGH) - SCAN_EVERY(0x21)) & ~w & SCAN_HIGH) | scan_equal(w, 0x7f);
}

/* High bits as a number of eight bits, the first byte's lowest. */
static inline unsigned
scan_bits(uint64_t high)
{
    return (unsigned)((high >> 7) * UINT64_C(0x0102040810204080) >> 56);
}

/* Which of the eight bytes the lowest bit of a non-zero 'mask' belongs to. */
static inline size_t
scan_first(uint64_t mask)
{
    return (size_t)__builtin_ctzll(mask) / 8;
}

/* 0 when all eight bytes are decimal digits. */
static inline uint64_t
scan_not_digits(uint64_t w)
{
    return ((w ^ SCAN_EVERY('0')) | ((w ^ SCAN_EVERY('0')) + SCAN_EVERY(6))) &
           SCAN_EVERY(0xf0);
}

/* 'n' decimal digits, at least one, and nothing else? */
static inline bool
scan_all_digits(const char *p, size_t n)
{
    uint64_t odd;
    size_t i;

    if (n < 8)
        return n > 0 &&
               scan_not_digits(scan_load_few(p, n) | SCAN_EVERY('0') << 8 * n) == 0;
    odd = scan_not_digits(scan_load(p + n - 8)); /* overlaps the one before */
    for (i = 0; i + 8 < n; i += 8)
        odd |= scan_not_digits(scan_load(p + i));
    return odd == 0;
}

/* Copies 'n' >= 1 bytes, most often fewer than 33, with overlapping moves: a call of
 * memcpy costs more than the moves do.  Returns where the copy ends. */
static inline char *
scan_copy(char *to, const char *p, size_t n)
{
    if (n < 4) {
        to[0] = p[0];
        to[n / 2] = p[n / 2];
        to[n - 1] = p[n - 1];
    } else if (n <= 8) {
        uint32_t head, tail;

        memcpy(&head, p, 4);
        memcpy(&tail, p + n - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + n - 4, &tail, 4);
    } else if (n <= 16) {
        uint64_t head, tail;

        memcpy(&head, p, 8);
        memcpy(&tail, p + n - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + n - 8, &tail, 8);
    } else {
        memcpy(to, p, n);
    }
    return to + n;
}

#endif
