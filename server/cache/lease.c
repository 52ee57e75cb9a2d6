/*
 * lease.c - one fetch for an id at a time, whichever worker it is wanted in.
 *
 * A key has one place in the table and no other; when another key's lease lies there,
 * there is none to be had.  So the word is all that is ever compared and swapped, and
 * no order of deaths leaves two owners:
 *
 *     state 2 | slot 10 | epoch 12 | expiry 24 (ms) | tag 16
 *
 *     free/ended --take--> held --finish--> ended (with a proof of the verdict)
 *                           |---abandon--> free
 *                           +---owner dead or silent, or expired: take--> held by the next
 *
 * A waiter sets its bit and then looks at the word again; the owner changes the word and
 * then takes the bits.  One of them sees the other.
 *
 * A fetch may be slow, its owner may not: beside the words each slot has the time of its
 * last beat, and what is held is held while that is recent.  (To prolong each word
 * instead would cost an owner of thousands as many swaps, all the time.)  An owner that
 * is stopped beats no more, the beat of a dead one is outdone by its epoch, and one that
 * lives and forgets a lease is bounded by the expiry.  A beat from the future, of a
 * flipped bit, is none.
 *
 * The proof is a hash over the key's hash, the word, the verdict and the time: a waiter
 * believes no verdict that was not given for its own key, whatever happened to the bits.
 */
#include "server/cache/lease.h"

#include "common/compiler.h"
#include "server/cache/layout.h"
#include "server/cache/region.h"
#include "server/cache/times.h"

#define TRIES 4
#define EPOCH_MASK 0xfffu
#define EXPIRY_MASK 0xffffffu
#define STATE_SHIFT 62
#define STATE_HELD ((uint64_t)1 << STATE_SHIFT)
#define STATE_ENDED ((uint64_t)2 << STATE_SHIFT)
#define STATE_MASK ((uint64_t)3 << STATE_SHIFT)

static struct shared_lease *
lease_place(const struct cache *c, uint64_t hash)
{
    struct shared_lease *table = (struct shared_lease *)(void *)(c->base + c->at.leases);

    return &table[hash >> 16 & (c->at.nleases - 1)];
}

static uint64_t
word_make(const struct cache *c, uint64_t hash, usec_t expires_at)
{
    uint64_t epoch = holder_epoch(c, c->slot) & EPOCH_MASK;

    return STATE_HELD | (uint64_t)c->slot << 52 | epoch << 40 |
           (expires_at / USEC_PER_MSEC & EXPIRY_MASK) << 16 | (hash & 0xffff);
}

static _Atomic uint64_t *
slot_beat_word(const struct cache *c, size_t slot)
{
    return &region_words(c, c->at.beats)[slot];
}

/* How long the slot may be silent still, from now.  Its clock may have been read after
 * ours, so a beat may be a little later than now. */
static usec_t
slot_patience(const struct cache *c, size_t slot, usec_t now)
{
    usec_t left = word_get(slot_beat_word(c, slot)) + LEASE_SILENCE - now;

    return left <= 2 * LEASE_SILENCE ? left : 0;
}

/* What is left of the word's time, from now; 0: expired, or never given. */
static usec_t
word_time(uint64_t word, usec_t now)
{
    uint64_t ms = ((word >> 16) - now / USEC_PER_MSEC) & EXPIRY_MASK;

    return ms <= LEASE_DURATION_MAX / USEC_PER_MSEC ? ms * USEC_PER_MSEC : 0;
}

/* How long the word holds from now on if nobody says anything; 0: it does not. */
static usec_t
word_holds(const struct cache *c, uint64_t word, usec_t now)
{
    size_t slot = (size_t)(word >> 52 & 0x3ff);
    usec_t time, patience;

    if ((word & STATE_MASK) != STATE_HELD || slot >= c->at.capacity ||
        (holder_epoch(c, slot) & EPOCH_MASK) != (word >> 40 & EPOCH_MASK))
        return 0;
    time = word_time(word, now);
    patience = slot_patience(c, slot, now);
    return time < patience ? time : patience;
}

usec_t
lease_beat_at(const struct cache *c)
{
    return c->beat_at + LEASE_BEAT;
}

void
lease_beat(struct cache *c, usec_t now)
{
    if (!c->joined || now < lease_beat_at(c))
        return;
    c->beat_at = now;
    word_set(slot_beat_word(c, c->slot), now);
}

static uint64_t
lease_proof(const struct cache *c, const struct lease *lease, enum lease_state verdict,
            usec_t asked_at)
{
    uint64_t told[4] = { lease->hash, lease->word, (uint64_t)verdict, asked_at };

    return hash_bytes(&c->hash_key, span_of((const char *)told, sizeof(told)));
}

enum lease_take
lease_take(struct cache *c, const struct cache_key *key, usec_t now, usec_t duration,
           struct lease *lease)
{
    struct shared_lease *at = lease_place(c, key->hash);
    uint64_t word = atomic_load(&at->word), mine;
    usec_t left;
    int tries;

    if (!c->joined)
        return LEASE_NONE;
    if (duration > LEASE_DURATION_MAX - USEC_PER_MSEC)
        duration = LEASE_DURATION_MAX - USEC_PER_MSEC;
    lease->hash = key->hash;
    for (tries = 0; tries < TRIES; tries++) {
        if ((left = word_holds(c, word, now)) == 0) {
            lease_beat(c, now); /* seen by whoever sees the word */
            mine = word_make(c, key->hash, now + duration + USEC_PER_MSEC);
            if (!atomic_compare_exchange_strong(&at->word, &word, mine))
                continue;
            cache_hook(c, CACHE_POINT_LEASED);
            lease->word = mine;
            return LEASE_MINE;
        }
        if ((word & 0xffff) != (key->hash & 0xffff) || region_wake_bit(c) == 0)
            return LEASE_NONE;
        atomic_fetch_or(&at->waiters, region_wake_bit(c));
        lease->word = word;
        lease->look_at = now + left;
        if (word == atomic_load(&at->word))
            return LEASE_ELSEWHERE;
        word = atomic_load(&at->word);
    }
    return LEASE_NONE;
}

static enum lease_state
look_at_verdict(const struct cache *c, struct shared_lease *at, const struct lease *lease)
{
    static const enum lease_state verdicts[] = { LEASE_STORED, LEASE_ABSENT, LEASE_FAILED,
                                                 LEASE_NOT_STORED };
    usec_t asked_at = atomic_load(&at->asked_at);
    uint64_t proof = atomic_load(&at->proof);
    size_t i;

    for (i = 0; i < ARRAY_LEN(verdicts); i++) {
        if (lease_proof(c, lease, verdicts[i], asked_at) != proof)
            continue;
        if (verdicts[i] == LEASE_ABSENT && asked_at <= times_key(c, lease->hash))
            return LEASE_NOT_STORED;
        return verdicts[i];
    }
    return LEASE_LOST;
}

enum lease_state
lease_look(const struct cache *c, struct lease *lease, usec_t now)
{
    struct shared_lease *at = lease_place(c, lease->hash);
    uint64_t word = atomic_load(&at->word);
    usec_t left;

    if (word == lease->word) {
        left = word_holds(c, word, now);
        lease->look_at = now + left;
        return left > 0 ? LEASE_HELD : LEASE_LOST;
    }
    if (word == ((lease->word & ~STATE_MASK) | STATE_ENDED))
        return look_at_verdict(c, at, lease);
    return LEASE_LOST;
}

bool
lease_finish(struct cache *c, const struct lease *lease, enum lease_state verdict,
             usec_t asked_at)
{
    struct shared_lease *at = lease_place(c, lease->hash);
    uint64_t word = lease->word, ended = (word & ~STATE_MASK) | STATE_ENDED;

    if (verdict == LEASE_LOST || verdict == LEASE_HELD)
        ended = 0;
    else if (atomic_load(&at->word) == word) {
        atomic_store(&at->asked_at, asked_at);
        atomic_store(&at->proof, lease_proof(c, lease, verdict, asked_at));
    }
    cache_hook(c, CACHE_POINT_PROVED);
    if (!atomic_compare_exchange_strong(&at->word, &word, ended))
        return false;
    cache_hook(c, CACHE_POINT_FINISHED);
    if (atomic_load(&at->waiters) != 0)
        region_wake(c, atomic_exchange(&at->waiters, 0));
    return true;
}
