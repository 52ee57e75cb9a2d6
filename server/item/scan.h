/*
 * scan.h - eight bytes at a glance.
 *
 * Owns: the question "may these bytes stand in a JSON string as they are?", asked of
 * a whole word at once, and copies of a few bytes that never touch a byte too many.
 * Promise: reads and writes inside [p, p + n) only; the same on either byte order.
 * Most text of most items is plain ASCII, so this is where the time of composing
 * goes.  Inside server/item only.
 */
#ifndef SERVER_ITEM_SCAN_H
#define SERVER_ITEM_SCAN_H

#include <endian.h>
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

/* Copies 'n' >= 4 bytes, most often fewer than 33, with overlapping moves: a call of
 * memcpy costs more than the moves do.  Returns where the copy ends. */
static inline char *
scan_copy(char *to, const char *p, size_t n)
{
    if (n <= 8) {
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
