/*
 * entry.c - the form of one entry in a ring.
 */
#include "server/cache/entry.h"

#include "common/compiler.h"
#include "server/cache/checksum.h"
#include "server/cache/ring.h"

size_t
parts_words(const struct parts *p)
{
    return ENTRY_WORDS + words_of(p->id) + words_of(p->item) + words_of(p->marks);
}

uint64_t
parts_pack(const struct parts *p)
{
    return (uint64_t)p->item | (uint64_t)p->id << 32 | (uint64_t)p->kind << 40 |
           (uint64_t)p->nmarks << 48;
}

static struct parts
parts_unpack(uint64_t sizes)
{
    struct parts p;

    p.item = (size_t)(sizes & 0xffffffff);
    p.id = (size_t)(sizes >> 32 & 0xff);
    p.kind = (unsigned)(sizes >> 40 & 0xff);
    p.nmarks = (size_t)(sizes >> 48);
    p.marks = p.nmarks * ((p.kind & ENTRY_WIDE_MARKS) != 0 ? 4 : 2);
    return p;
}

_Atomic uint64_t *
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
        parts->item > CACHE_ITEM_MAX || parts->nmarks > CACHE_MARKS_MAX)
        return NULL;
    return entry;
}

bool
entry_is(const _Atomic uint64_t *entry, const struct parts *parts,
         const struct cache_key *key)
{
    size_t i;

    if (word_get(&entry[ENTRY_HASH]) != key->hash ||
        word_get(&entry[ENTRY_SOURCE]) != key->source || parts->id != key->id.n)
        return false;
    for (i = 0; i < words_of(key->id.n); i++) {
        if (word_get(&entry[ENTRY_WORDS + i]) != word_of(key->id.p, key->id.n, i))
            return false;
    }
    return true;
}

uint32_t
entry_sum_head(const struct cache *c, const _Atomic uint64_t *entry,
               const struct parts *p)
{
    return c->checksum->sum(~0u, entry + ENTRY_SIZES,
                            ENTRY_WORDS - ENTRY_SIZES + words_of(p->id));
}

uint32_t
entry_sum(const struct cache *c, const _Atomic uint64_t *entry, const struct parts *p)
{
    const _Atomic uint64_t *item = entry + ENTRY_WORDS + words_of(p->id);
    uint32_t crc = c->checksum->lanes(entry_sum_head(c, entry, p), item, p->item);

    return c->checksum->lanes(crc, item + words_of(p->item), p->marks);
}
