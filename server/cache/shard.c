/*
 * shard.c - one part of the store: its lock and its index.
 *
 * The lock is one word, the holder's signature.  Whoever finds the signature of a dead
 * process, or one that nobody ever wrote, or its own (it holds no lock now), takes the
 * lock over and empties the shard: what the dead one was in the middle of is not looked
 * into.  If it dies while emptying, the next one empties again.
 */
#include "server/cache/shard.h"

#include "common/compiler.h"
#include "server/cache/region.h"

bool
shard_lock(const struct shard_view *v)
{
    uint64_t mine = holder_word(v->c), found = word_get(&v->shard->lock);

    if (mine == 0)
        return false;
    if (found != 0 && found != mine && holder_lives(v->c, found))
        return false;
    if (!slot_change(&v->shard->lock, found, mine))
        return false;
    cache_hook(v->c, CACHE_POINT_LOCKED);
    if (unlikely(found != 0)) {
        shard_wipe(v);
        word_add(&v->shard->wiped, 1);
    }
    return true;
}

void
shard_unlock(const struct shard_view *v)
{
    /* Not a plain store: when our epoch was changed under us, it is another's now. */
    (void)slot_change(&v->shard->lock, holder_word(v->c), 0);
}

void
shard_wipe(const struct shard_view *v)
{
    const struct geometry *at = &v->c->at;
    _Atomic uint64_t *words = shard_words(v, at->index);
    size_t i, n = (at->ghosts - at->index) / sizeof(uint64_t);

    for (i = 0; i < n; i++) {
        word_set(&words[i], 0);
        if (unlikely(i == n / 2))
            cache_hook(v->c, CACHE_POINT_WIPING);
    }
    for (i = 0; i < RINGS; i++) {
        word_set(&v->shard->rings[i].tail, 0);
        word_set(&v->shard->rings[i].used, 0);
    }
    word_set(&v->shard->entries, 0);
    fence(memory_order_seq_cst);
}
