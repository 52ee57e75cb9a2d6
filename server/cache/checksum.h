/*
 * checksum.h - CRC-32C over words that others may be writing.
 *
 * Owns: the checksum of entries, taken while copying or without.  Words go into three
 * lanes in turn, because the processor's instruction takes three cycles for one and
 * could begin one each cycle; at the end the lanes are summed themselves.  With hardware
 * (SSE 4.2) or without, the values are the same.
 */
#ifndef SERVER_CACHE_CHECKSUM_H
#define SERVER_CACHE_CHECKSUM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct checksum {
    const char *name;
    /* The sum of 'head' words and, behind them, of the words of 'bytes' bytes, which are
     * copied to 'to' on the way (not one more); NULL: they are not. */
    uint32_t (*copy)(uint32_t crc, const _Atomic uint64_t *words, size_t head,
                     size_t bytes, char *to);
};

/* The fastest that this processor has. */
const struct checksum *checksum_best(void);

/* The one that every processor has. */
const struct checksum *checksum_portable(void);

#endif
