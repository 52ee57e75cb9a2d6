/*
 * entry.h - the form of one entry in a ring.
 *
 * Owns: how key, times, item and marks lie one behind the other, and what is looked at
 * before any of it is believed.  In layout.h are its first words.  All inline: this is
 * the way of every hit.
 *
 *     first words | id | form | item | sum of the marks 32, marks
 *     +------ the entry's checksum -+  +- only for who wants them -+
 */
#ifndef SERVER_CACHE_ENTRY_H
#define SERVER_CACHE_ENTRY_H

#include "common/compiler.h"
#include "common/scan.h"
#include "server/cache/checksum.h"
#include "server/cache/shard.h"

enum entry_kind {
    ENTRY_FOUND = 1,
    ENTRY_ABSENT = 2,
};

/* The sum of the marks, before them. */
#define MARKS_SUM_BYTES 4

/* The sizes of an entry's parts, in bytes. */
struct parts {
    size_t id;
    size_t item;
    size_t marks; /* without their sum */
    unsigned kind;
};

static inline size_t
words_of(size_t bytes)
{
    return (bytes + 7) / 8;
}

/* Words before the item. */
static inline size_t
parts_head_words(const struct parts *p)
{
    return ENTRY_WORDS + words_of(p->id) + (p->kind == ENTRY_FOUND);
}

/* Words of the whole entry, its head included. */
static inline size_t
parts_words(const struct parts *p)
{
    return parts_head_words(p) + words_of(p->item) +
           (p->marks == 0 ? 0 : words_of(MARKS_SUM_BYTES + p->marks));
}

/* As one word, ENTRY_SIZES. */
static inline uint64_t
parts_pack(const struct parts *p)
{
    return (uint64_t)p->item | (uint64_t)p->id << 32 | (uint64_t)p->kind << 40 |
           (uint64_t)p->marks << 48;
}

static inline struct parts
parts_unpack(uint64_t sizes)
{
    struct parts p;

    p.item = (size_t)(sizes & 0xffffffff);
    p.id = (size_t)(sizes >> 32 & 0xff);
    p.kind = (unsigned)(sizes >> 40 & 0xff);
    p.marks = (size_t)(sizes >> 48);
    return p;
}

/* The frame word: how to step over an entry (filler 1 | units 31), and 32 bits that make
 * it and the sizes improbable where no writer has put them. */
static inline uint64_t
frame_make(size_t bytes, bool filler, uint64_t sizes)
{
    uint64_t low = bytes / UNIT | (uint64_t)filler << 31;

    return ((sizes ^ low << 17 ^ low << 41) * 0x9e3779b97f4a7c15u + low) >> 32 << 32 |
           low;
}

/* What the frame says: its bytes up to the next, and whether it is one at all.  False:
 * no frame that was ever written there. */
static inline bool
frame_read(const _Atomic uint64_t *entry, size_t *bytes, bool *filler)
{
    uint64_t frame = word_get(&entry[ENTRY_FRAME]), sizes;

    *bytes = (size_t)(frame & 0x7fffffff) * UNIT;
    *filler = (frame >> 31 & 1) != 0;
    sizes = *filler ? 0 : word_get(&entry[ENTRY_SIZES]);
    return *bytes > 0 && frame == frame_make(*bytes, *filler, sizes);
}

/* The 'i'th word of 'bytes' bytes at 'p', padded with zeros. */
static inline uint64_t
word_of(const void *p, size_t bytes, size_t i)
{
    const char *at = (const char *)p + 8 * i;

    /* as it lies in memory */
    return htole64(likely(8 * i + 8 <= bytes) ? scan_load(at)
                                              : scan_load_few(at, bytes - 8 * i));
}

/* The entry at a place that came from an index slot: is the place one, does the frame
 * fit there, do the parts fit in the frame?  NULL: no. */
static inline _Atomic uint64_t *
entry_at(const struct shard_view *v, size_t place, struct parts *parts, size_t *bytes)
{
    const struct geometry *at = &v->c->at;
    _Atomic uint64_t *entry;
    bool filler;

    if (place < at->ring[RING_SMALL] || place + ENTRY_HEAD_BYTES > at->shard_bytes)
        return NULL;
    entry = shard_words(v, place);
    *parts = parts_unpack(word_get(&entry[ENTRY_SIZES]));
    if (!frame_read(entry, bytes, &filler) || filler ||
        *bytes > at->shard_bytes - place || parts_words(parts) * 8 > *bytes ||
        parts->item > CACHE_ITEM_MAX || parts->marks > CACHE_MARKS_MAX)
        return NULL;
    return entry;
}

/* Is it the entry of 'key'?  The source's part of it is in the hash and in the sum. */
static inline bool
entry_is(const _Atomic uint64_t *entry, const struct parts *parts,
         const struct cache_key *key)
{
    size_t i;

    if (word_get(&entry[ENTRY_HASH]) != key->hash || parts->id != key->id.n)
        return false;
    for (i = 0; i < words_of(key->id.n); i++) {
        if (word_get(&entry[ENTRY_WORDS + i]) != word_of(key->id.p, key->id.n, i))
            return false;
    }
    return true;
}

/* The checksum of an entry of 'source' without its marks; its item is copied to 'to',
 * unless that is NULL. */
static inline uint32_t
entry_sum(const struct cache *c, const _Atomic uint64_t *entry, const struct parts *p,
          uint64_t source, char *to)
{
    return c->checksum->copy((uint32_t)(source ^ source >> 32), entry + ENTRY_SIZES,
                             parts_head_words(p) - ENTRY_SIZES, p->item, to);
}

/* What the item was made from; ENTRY_FOUND only. */
static inline uint64_t
entry_form(const _Atomic uint64_t *entry, const struct parts *p)
{
    return word_get(&entry[parts_head_words(p) - 1]);
}

/* The sum of the marks, of which there are some, and the one that is written before them.
 * It goes on from the entry's own, 'sum': marks of another entry do not pass for its. */
static inline uint32_t
entry_sum_marks(const struct cache *c, const _Atomic uint64_t *entry,
                const struct parts *p, uint32_t sum, char *to, uint32_t *written)
{
    const _Atomic uint64_t *words = entry + parts_head_words(p) + words_of(p->item);
    uint64_t first = word_get(words);
    size_t n = p->marks < 4 ? p->marks : 4;
    char bytes[8];
    uint32_t head;

    memcpy(bytes, &first, sizeof(bytes));
    memcpy(written, bytes, MARKS_SUM_BYTES);
    memcpy(&head, bytes + MARKS_SUM_BYTES, sizeof(head));
    if (to != NULL)
        memcpy(to, bytes + MARKS_SUM_BYTES, n);
    return c->checksum->copy(sum ^ head, words + 1, 0, p->marks - n,
                             to == NULL ? NULL : to + n);
}

#endif
