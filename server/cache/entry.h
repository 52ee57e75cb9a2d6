/*
 * entry.h - the form of one entry in a ring.
 *
 * Owns: how key, times, item and marks lie one behind the other, and what is looked at
 * before any of it is believed.  In layout.h are its first words.
 */
#ifndef SERVER_CACHE_ENTRY_H
#define SERVER_CACHE_ENTRY_H

#include "server/cache/shard.h"

enum entry_kind {
    ENTRY_FOUND = 1,
    ENTRY_ABSENT = 2,
};

#define ENTRY_KIND_MASK 0x7f
#define ENTRY_WIDE_MARKS 0x80 /* 32 bits each, else 16 */

/* The sizes of an entry's parts, in bytes. */
struct parts {
    size_t id;
    size_t item;
    size_t marks;
    size_t nmarks;
    unsigned kind;
};

/* As one word, ENTRY_SIZES. */
uint64_t parts_pack(const struct parts *p);

/* Words of the whole entry, its head included. */
size_t parts_words(const struct parts *p);

static inline size_t
words_of(size_t bytes)
{
    return (bytes + 7) / 8;
}

/* The 'i'th word of 'bytes' bytes at 'p', padded with zeros. */
static inline uint64_t
word_of(const void *p, size_t bytes, size_t i)
{
    uint64_t word = 0;

    if (likely(8 * i + 8 <= bytes))
        memcpy(&word, (const char *)p + 8 * i, 8);
    else
        memcpy(&word, (const char *)p + 8 * i, bytes - 8 * i);
    return word;
}

/* The entry at a place that came from an index slot: is the place one, does the frame
 * fit there, do the parts fit in the frame?  NULL: no. */
_Atomic uint64_t *entry_at(const struct shard_view *v, size_t place, struct parts *parts,
                           size_t *bytes) MUST_CHECK;

/* Is it the entry of 'key'? */
bool entry_is(const _Atomic uint64_t *entry, const struct parts *parts,
              const struct cache_key *key) MUST_CHECK;

/* The checksum of the words from the sizes to the id, with which every sum begins. */
uint32_t entry_sum_head(const struct cache *c, const _Atomic uint64_t *entry,
                        const struct parts *p);

/* The checksum of a whole entry as it lies there. */
uint32_t entry_sum(const struct cache *c, const _Atomic uint64_t *entry,
                   const struct parts *p);

#endif
