/*
 * store.c - reading entries, and dropping them.
 *
 * How a reader knows that what it copied was one entry, all of it, and still is:
 *
 *     index slot -> sequence even -> head -> copy and sum -> sequence same, slot same
 *
 * The slot, because a ring reuses its bytes: before a writer overwrites an entry it
 * clears the slot that leads there.  The sequence, because an entry is also replaced
 * where it lies; it comes from a counter of the shard, so no two writes share one.  The
 * checksum for everything else: bits that flipped, writers that went mad.
 */
#include "server/cache/store.h"

#include "common/compiler.h"
#include "server/cache/entry.h"
#include "server/cache/seeded.h"
#include "server/cache/times.h"

/* A read under way: the slot that led to the entry and the sequence it had. */
struct reading {
    const struct cache *c;
    const _Atomic uint64_t *slot;
    _Atomic uint64_t *entry;
    uint64_t word;
    uint64_t seq;
    struct parts parts;
};

static bool
reading_holds(const struct reading *r)
{
    fence(memory_order_acquire);
    return word_get(&r->entry[ENTRY_SEQ]) == r->seq && word_get(r->slot) == r->word;
}

/* Are the words that were told beside the item those that went into its sum?  They were
 * read before it: when the odd bit of a sequence flips while a writer is at work, its old
 * time could be told with its new item. */
static bool
reading_told(const struct reading *r, const struct cache_hit *hit)
{
    return word_get(&r->entry[ENTRY_ASKED]) == hit->asked_at &&
           (r->parts.kind != ENTRY_FOUND || entry_form(r->entry, &r->parts) == hit->form);
}

/* The marks go behind the item at 'to', whose sum is 'sum'. */
static void
read_marks(const struct reading *r, uint32_t sum, char *to, struct cache_hit *hit)
{
    uint32_t written;

    if (entry_sum_marks(r->c, r->entry, &r->parts, sum, to + r->parts.item, &written) ==
        written)
        hit->nmarks = r->parts.marks;
}

static enum cache_verdict
read_body(const struct reading *r, uint64_t source, struct buf *out,
          struct cache_hit *hit)
{
    const struct parts *p = &r->parts;
    size_t most = p->item + (hit->with_marks ? p->marks : 0);
    char none, *to = &none;
    uint32_t crc;

    if (most > 0 && (to = buf_reserve(out, most)) == NULL)
        return CACHE_MISS;
    hit->len = p->item;
    hit->nmarks = 0;
    if (p->kind == ENTRY_FOUND)
        hit->form = entry_form(r->entry, p);
    crc = entry_sum(r->c, r->entry, p, source, to);
    if (most > p->item)
        read_marks(r, crc, to, hit);
    if (!reading_holds(r) || (crc != r->seq >> 32 && !SEEDED(checksum)) ||
        !reading_told(r, hit))
        return CACHE_MISS;
    if (p->kind != ENTRY_FOUND)
        return CACHE_ABSENT;
    buf_commit(out, p->item + hit->nmarks);
    return CACHE_FOUND;
}

static enum cache_verdict
read_slot(const struct shard_view *v, const _Atomic uint64_t *slot, uint64_t word,
          const struct cache_key *key, struct buf *out, struct cache_hit *hit)
{
    struct reading r = { .c = v->c, .slot = slot, .word = word };
    size_t place = slot_place(word), bytes;

    if (unlikely(place + ENTRY_HEAD_BYTES > v->c->at.shard_bytes))
        return CACHE_MISS;
    r.seq = atomic_load_explicit(&shard_words(v, place)[ENTRY_SEQ], memory_order_acquire);
    if ((r.seq & 1) != 0)
        return CACHE_MISS;
    r.entry = entry_at(v, place, &r.parts, &bytes);
    if (r.entry == NULL || (!entry_is(r.entry, &r.parts, key) && !SEEDED(key)))
        return CACHE_MISS;
    hit->asked_at = word_get(&r.entry[ENTRY_ASKED]);
    /* Looked at again before room is made: half a size must not fail the caller's
     * buffer. */
    if (hit->asked_at <= times_flushed(v->c) || !reading_holds(&r))
        return CACHE_MISS;
    return read_body(&r, key->source, out, hit);
}

/* The slots of one line. */
static enum cache_verdict
read_line(const struct shard_view *v, struct index_line *line,
          const struct cache_key *key, struct buf *out, struct cache_hit *hit)
{
    enum cache_verdict verdict;
    size_t i;

    for (i = 0; i < INDEX_SLOTS; i++) {
        uint64_t word = atomic_load(&line->slots[i]);
        uint8_t visits;

        if ((!slot_matches(word, key->hash) && !SEEDED(key)) ||
            (word & SLOT_PENDING) != 0)
            continue;
        verdict = read_slot(v, &line->slots[i], word, key, out, hit);
        if (unlikely(verdict == CACHE_MISS))
            continue;
        visits = atomic_load_explicit(&line->visits[i], memory_order_relaxed);
        if (visits < VISITS_MAX)
            atomic_store_explicit(&line->visits[i], visits + 1, memory_order_relaxed);
        return verdict;
    }
    return CACHE_MISS;
}

enum cache_verdict
store_read(const struct cache *c, const struct cache_key *key, struct buf *out,
           struct cache_hit *hit)
{
    struct shard_view v = shard_of(c, key->hash);
    enum cache_verdict verdict = CACHE_MISS;
    size_t i;

    for (i = 0; i < SET_LINES && verdict == CACHE_MISS; i++)
        verdict = read_line(&v, set_line(key->line, i), key, out, hit);
    return verdict;
}

void
store_prefetch(const struct cache *c, const struct cache_key *key)
{
    struct shard_view v = shard_of(c, key->hash);
    struct index_line *line = key->line;
    size_t i, k, lines;

    for (i = 0; i < INDEX_SLOTS; i++) {
        uint64_t word = word_get(&line->slots[i]);

        if (!slot_matches(word, key->hash) || slot_place(word) >= c->at.shard_bytes)
            continue;
        /* Beyond these the processor has seen the pattern. */
        lines = slot_lines(word);
        for (k = 0; k < lines && k < 8; k++)
            __builtin_prefetch(v.base + slot_place(word) + k * CACHE_LINE);
        return;
    }
    __builtin_prefetch(set_line(line, 1));
}

/* By the tag alone, without a look at the entry: it may be half written, or moving.  So
 * another key's entry goes when its tag is the same, one in a million invalidations. */
bool
store_drop(const struct cache *c, uint64_t hash)
{
    struct shard_view v = shard_of(c, hash);
    struct index_line *line = shard_line(&v, hash);
    bool dropped = false;
    size_t i;

    for (i = 0; i < SET_SLOTS && !SEEDED(drop); i++) {
        _Atomic uint64_t *slot = set_slot(line, i);
        uint64_t word = atomic_load(slot);

        /* It fails only when the writer has just moved the entry or made it pending;
         * another tag's entry cannot take the slot but through an empty one. */
        while (slot_matches(word, hash) || slot_broken(word)) {
            if (atomic_compare_exchange_strong(slot, &word, 0)) {
                word_add(&v.shard->entries, (uint64_t)-1);
                dropped = true;
                break;
            }
        }
    }
    return dropped;
}
