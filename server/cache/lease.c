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
 *                           +---owner dead or expired: take--> held by the next
 *
 * A waiter sets its bit and then looks at the word again; the owner changes the word and
 * then takes the bits.  One of them sees the other.
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

/* What is left of the word's time, from now; 0: expired, or never given. */
static usec_t
word_left(uint64_t word, usec_t now)
{
    uint64_t ms = ((word >> 16) - now / USEC_PER_MSEC) & EXPIRY_MASK;

    return ms <= LEASE_DURATION_MAX / USEC_PER_MSEC ? ms * USEC_PER_MSEC : 0;
}

static bool
word_holds(const struct cache *c, uint64_t word, usec_t now)
{
    size_t slot = (size_t)(word >> 52 & 0x3ff);

    return (word & STATE_MASK) == STATE_HELD && slot < c->at.capacity &&
           (holder_epoch(c, slot) & EPOCH_MASK) == (word >> 40 & EPOCH_MASK) &&
           word_left(word, now) > 0;
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
    int tries;

    if (!c->joined)
        return LEASE_NONE;
    if (duration > LEASE_DURATION_MAX - USEC_PER_MSEC)
        duration = LEASE_DURATION_MAX - USEC_PER_MSEC;
    lease->hash = key->hash;
    lease->expires_at = now + duration + USEC_PER_MSEC;
    for (tries = 0; tries < TRIES; tries++) {
        if (!word_holds(c, word, now)) {
            mine = word_make(c, key->hash, lease->expires_at);
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
        lease->expires_at = now + word_left(word, now);
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
lease_look(const struct cache *c, const struct lease *lease, usec_t now)
{
    struct shared_lease *at = lease_place(c, lease->hash);
    uint64_t word = atomic_load(&at->word);

    if (word == lease->word)
        return word_holds(c, word, now) ? LEASE_HELD : LEASE_LOST;
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
