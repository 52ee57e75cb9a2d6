/*
 * store_write.c - writing entries.
 *
 * How a writer and an invalidation that know nothing of each other come out right:
 *
 *     writer:        slot = pending  ..  are the times still earlier?  ..  slot = entry
 *     invalidation:  raise the time  ..  clear every slot with the key's tag
 *
 * Either the writer sees the time, or the invalidation sees the slot.  All of these are
 * sequentially consistent, and the slot changes by compare-and-swap from the very word.
 */
#include "server/cache/store.h"

#include "common/compiler.h"
#include "server/cache/ring.h"
#include "server/cache/seeded.h"
#include "server/cache/times.h"

#include <assert.h>

#define STAGE_KEEP 65536 /* bytes of our own kept between writes */

static uint64_t *
stage_bytes(uint64_t *to, const void *from, size_t bytes)
{
    if (bytes > 0) {
        to[words_of(bytes) - 1] = 0;
        memcpy(to, from, bytes);
    }
    return to + words_of(bytes);
}

/* An entry ready to be written: in our own memory, because a sum taken from the shared
 * one would bless whatever happened to it meanwhile, and before the lock is taken. */
struct staged {
    const struct entry *e;
    struct parts parts;
    const uint64_t *words;
    uint32_t sum;
    size_t bytes; /* in the ring */
};

/* The marks and before them their sum, which goes on from that of all the rest. */
static void
stage_marks(const struct cache *c, uint64_t *to, const struct staged *s)
{
    struct span marks = s->e->marks;
    uint32_t sum, unwritten;

    if (marks.n == 0)
        return;
    to[words_of(MARKS_SUM_BYTES + marks.n) - 1] = 0;
    memcpy((char *)to + MARKS_SUM_BYTES, marks.p, marks.n);
    sum = entry_sum_marks(c, (const _Atomic uint64_t *)s->words, &s->parts, s->sum, NULL,
                          &unwritten);
    memcpy(to, &sum, MARKS_SUM_BYTES);
}

/* False: no memory. */
static bool
stage(struct cache *c, const struct entry *e, struct staged *s)
{
    uint64_t *words, *to;

    s->e = e;
    s->parts = (struct parts){
        .id = e->key->id.n, .item = e->item.n, .marks = e->marks.n, .kind = e->kind
    };
    s->bytes = (parts_words(&s->parts) * 8 + UNIT - 1) / UNIT * UNIT;
    buf_clear(&c->stage);
    if ((words = (uint64_t *)(void *)buf_reserve(&c->stage, s->bytes)) == NULL)
        return false;
    words[ENTRY_SIZES] = parts_pack(&s->parts);
    words[ENTRY_HASH] = e->key->hash;
    words[ENTRY_ASKED] = e->asked_at;
    to = stage_bytes(words + ENTRY_WORDS, e->key->id.p, s->parts.id);
    if (e->kind == ENTRY_FOUND)
        *to++ = e->form;
    to = stage_bytes(to, e->item.p, s->parts.item);
    s->words = words;
    s->sum = entry_sum(c, (_Atomic uint64_t *)words, &s->parts, e->key->source, NULL);
    stage_marks(c, to, s);
    return true;
}

/* Writes the entry where there is room for 'bytes'. */
static void
write_at(const struct shard_view *v, size_t place, size_t bytes, const struct staged *s)
{
    _Atomic uint64_t *entry = shard_words(v, place);
    uint32_t seq = ((uint32_t)word_get(&v->shard->seq) + 2) & ~(uint32_t)1;
    size_t i, n = parts_words(&s->parts);

    word_set(&v->shard->seq, seq);
    word_set(&entry[ENTRY_SEQ], seq | 1);
    fence(memory_order_release);
    word_set(&entry[ENTRY_FRAME], frame_make(bytes, false, s->words[ENTRY_SIZES]));
    for (i = ENTRY_SIZES; i < ENTRY_WORDS; i++)
        word_set(&entry[i], s->words[i]);
    cache_hook(v->c, CACHE_POINT_WRITING);
    for (; i < n; i++)
        word_set(&entry[i], s->words[i]);
    cache_hook(v->c, CACHE_POINT_WRITTEN);
    atomic_store_explicit(&entry[ENTRY_SEQ], (uint64_t)s->sum << 32 | seq,
                          memory_order_release);
}

/* Where an entry goes: the key's own slot, an empty one, or the one least read. */
static _Atomic uint64_t *
choose_slot(const struct shard_view *v, uint64_t hash, uint64_t *word,
            _Atomic uint8_t **visits)
{
    struct index_line *line = shard_line(v, hash);
    size_t i, best = 0;
    unsigned rank, best_rank = ~0u;

    for (i = 0; i < SET_SLOTS; i++) {
        uint64_t found = atomic_load(set_slot(line, i));

        if (slot_matches(found, hash))
            rank = 0;
        else if (found == 0 || slot_broken(found))
            rank = 1;
        else
            rank = 2u + atomic_load_explicit(set_visits(line, i), memory_order_relaxed);
        if (rank < best_rank) {
            best = i;
            best_rank = rank;
            *word = found;
        }
    }
    *visits = set_visits(line, best);
    return set_slot(line, best);
}

/* Is there an entry of the key that may be written over, or left because it is newer? */
enum existing {
    EXISTING_NONE,
    EXISTING_FITS,
    EXISTING_NEWER,
};

static enum existing
look_at_existing(const struct shard_view *v, uint64_t word, const struct staged *s,
                 size_t *bytes)
{
    const struct entry *e = s->e;
    size_t need = s->bytes;
    _Atomic uint64_t *entry;
    struct parts old;
    usec_t asked_at;

    if (!slot_matches(word, e->key->hash))
        return EXISTING_NONE;
    entry = entry_at(v, slot_place(word), &old, bytes);
    if (entry == NULL || !entry_is(entry, &old, e->key))
        return EXISTING_NONE;
    asked_at = word_get(&entry[ENTRY_ASKED]);
    if (asked_at > e->asked_at && asked_at > times_key(v->c, e->key->hash) &&
        entry_sum(v->c, entry, &old, e->key->source, NULL) ==
            word_get(&entry[ENTRY_SEQ]) >> 32)
        return EXISTING_NEWER;
    /* Not into a much larger one: its rest would be lost for good. */
    return need <= *bytes && *bytes <= need + need / 4 + CACHE_LINE ? EXISTING_FITS
                                                                    : EXISTING_NONE;
}

/* The entry is written; makes it found. */
static enum cache_put
publish(const struct shard_view *v, const struct staged *s, size_t place)
{
    uint64_t hash = s->e->key->hash, old = 0, new = slot_make(place, hash, s->bytes);
    uint64_t pending = new ^ SLOT_PENDING_FLIP;
    _Atomic uint8_t *visits;
    _Atomic uint64_t *slot = choose_slot(v, hash, &old, &visits);
    bool same = slot_matches(old, hash);

    if (!slot_change(slot, old, pending))
        return CACHE_REFUSED; /* only an invalidation changes it under our lock */
    if (old == 0)
        word_add(&v->shard->entries, 1);
    else if (!same)
        word_add(&v->shard->evictions, 1);
    if (!same)
        atomic_store_explicit(visits, 0, memory_order_relaxed);
    cache_hook(v->c, CACHE_POINT_PENDING);
    if (s->e->asked_at <= times_key(v->c, hash) && !SEEDED(fill)) {
        if (slot_change(slot, pending, 0))
            word_add(&v->shard->entries, (uint64_t)-1);
        return CACHE_REFUSED;
    }
    cache_hook(v->c, CACHE_POINT_CHECKED);
    if (!slot_change(slot, pending, new))
        return CACHE_REFUSED;
    cache_hook(v->c, CACHE_POINT_CONFIRMED);
    return CACHE_STORED;
}

static enum cache_put
write_locked(const struct shard_view *v, const struct staged *s)
{
    uint64_t hash = s->e->key->hash, word = 0;
    size_t place, bytes;
    _Atomic uint8_t *visits;

    (void)choose_slot(v, hash, &word, &visits);
    /* In its old place an entry needs no further look at the times: an invalidation that
     * came after this one finds its slot, which does not change. */
    if (s->e->asked_at <= times_key(v->c, hash) && !SEEDED(fill))
        return CACHE_REFUSED;
    switch (look_at_existing(v, word, s, &bytes)) {
    case EXISTING_NEWER:
        return CACHE_STORED;
    case EXISTING_FITS:
        write_at(v, slot_place(word), bytes, s);
        return CACHE_STORED;
    case EXISTING_NONE:
        break;
    }
    place = ring_room(v, hash, s->bytes, slot_matches(word, hash));
    if (place == 0)
        return CACHE_NOT_STORED;
    write_at(v, place, s->bytes, s);
    return publish(v, s, place);
}

static enum cache_put
write_entry(const struct shard_view *v, const struct entry *e)
{
    struct staged staged;
    enum cache_put how;

    if (e->item.n > CACHE_ITEM_MAX || e->marks.n > CACHE_MARKS_MAX ||
        !stage(v->c, e, &staged) || !shard_lock(v))
        return CACHE_NOT_STORED;
    how = write_locked(v, &staged);
    shard_unlock(v);
    return how;
}

enum cache_put
store_write(struct cache *c, const struct entry *e)
{
    struct shard_view v = shard_of(c, e->key->hash);
    enum cache_put how;

    assert(e->key->id.n <= CACHE_ID_MAX);
    how = write_entry(&v, e);
    buf_clear(&c->stage);
    buf_shrink(&c->stage, STAGE_KEEP);
    switch (how) {
    case CACHE_STORED:
        word_add(&v.shard->stored, 1);
        break;
    case CACHE_NOT_STORED:
        word_add(&v.shard->not_stored, 1);
        break;
    case CACHE_REFUSED:
        word_add(&v.shard->refused, 1);
        break;
    }
    return how;
}
