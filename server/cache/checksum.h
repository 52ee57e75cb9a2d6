/*
 * checksum.h - CRC-32C over words that others may be writing.
 *
 * Owns: the checksum of entries, taken while copying or without.  Long stretches of words
 * go into three lanes in turn, because the processor's instruction takes three
 * cycles for one and could begin one each cycle; the lanes are then summed as words.
 * With hardware (SSE 4.2) or without, the values are the same.
 */
#ifndef SERVER_CACHE_CHECKSUM_H
#define SERVER_CACHE_CHECKSUM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct checksum {
    const char *name;
    /* The sum of 'n' words after 'crc', one after the other. */
    uint32_t (*sum)(uint32_t crc, const _Atomic uint64_t *words, size_t n);
    /* The sum of the words of 'bytes' bytes in three lanes. */
    uint32_t (*lanes)(uint32_t crc, const _Atomic uint64_t *words, size_t bytes);
    /* The same, and the bytes are copied to 'to' on the way (not one more). */
    uint32_t (*copy)(uint32_t crc, const _Atomic uint64_t *words, size_t bytes, char *to);
};

/* The fastest that this processor has. */
const struct checksum *checksum_best(void);

/* The one that every processor has. */
const struct checksum *checksum_portable(void);

#endif
