/*
 * lease.h - one fetch for an id at a time, whichever worker it is wanted in.
 *
 * Owns: the table of fetches under way, one word each.
 * Promises: of those who take the same key's lease at a time at most one owns it; the
 * others are woken (cache_wake_fd) when it ends or its owner died, and then exactly one
 * of those who take it again owns it.  Never waits.
 *
 *     lease_take -> LEASE_MINE -> fetch, put -> lease_finish(verdict) --wakes--+
 *                   LEASE_ELSEWHERE -> until woken, or look_at: lease_look <---+
 *                   LEASE_NONE -> fetch, tell nobody
 *
 * However long a fetch takes, its lease lasts as long as its owner shows that it lives
 * (lease_beat): one word for all that it owns.
 */
#ifndef SERVER_CACHE_LEASE_H
#define SERVER_CACHE_LEASE_H

#include "server/cache/cache.h"

/* No lease is given for longer. */
#define LEASE_DURATION_MAX (60 * USEC_PER_SEC)

/* An owner that is silent for so long has lost what it owns: with a beat in a fifth of
 * it, whoever waits for one that is stopped hears so within 150 ms. */
#define LEASE_SILENCE (100 * USEC_PER_MSEC)
#define LEASE_BEAT (LEASE_SILENCE / 5)

/* Owned (LEASE_MINE) or waited for (LEASE_ELSEWHERE); a copy is as good. */
struct lease {
    uint64_t word;
    uint64_t hash;
    usec_t look_at; /* LEASE_ELSEWHERE: look then, even if nobody wakes */
};

enum lease_take {
    LEASE_MINE,      /* fetch, then say lease_finish: others may wait */
    LEASE_ELSEWHERE, /* somebody (this process too) fetches it; this one will be woken */
    LEASE_NONE,      /* no place in the table: fetch without one */
};

/* 'duration': how long a living owner may take before somebody else may own it too.
 * LEASE_MINE counts as a beat. */
enum lease_take lease_take(struct cache *cache, const struct cache_key *key, usec_t now,
                           usec_t duration, struct lease *lease) MUST_CHECK;

enum lease_state {
    LEASE_HELD,       /* by a living owner, in time: go on waiting (still woken) */
    LEASE_STORED,     /* cache_get finds it, most probably */
    LEASE_ABSENT,     /* the source has no such item */
    LEASE_FAILED,     /* the source could not say */
    LEASE_NOT_STORED, /* fetched, but not to be had here: fetch for yourself */
    LEASE_LOST,       /* died, expired, abandoned, overwritten: cache_get, lease_take */
};

/* What became of a lease that somebody else owns; LEASE_HELD moves look_at, to later
 * than 'now'.  LEASE_ABSENT is only ever said when the key was not invalidated since the
 * owner asked for it. */
enum lease_state lease_look(const struct cache *cache, struct lease *lease, usec_t now)
    MUST_CHECK;

/* This process lives and goes on with what it fetches: to be said whenever its loop turns
 * and, while it owns leases, not later than lease_beat_at.  Cheap: most calls compare two
 * times. */
void lease_beat(struct cache *cache, usec_t now);

/* When the next beat is due. */
usec_t lease_beat_at(const struct cache *cache);

/* The owner's fetch is over: LEASE_STORED, LEASE_ABSENT, LEASE_FAILED or
 * LEASE_NOT_STORED, asked for at 'asked_at'.  LEASE_LOST abandons it: nothing was asked,
 * the next one may.  Wakes who waits.  False: it had expired and is somebody else's. */
bool lease_finish(struct cache *cache, const struct lease *lease,
                  enum lease_state verdict, usec_t asked_at);

#endif
