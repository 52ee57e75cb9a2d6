/*
 * store.h - reading and writing entries.
 *
 * Owns: the way to read an entry while it may be overwritten, and to bring one in.
 */
#ifndef SERVER_CACHE_STORE_H
#define SERVER_CACHE_STORE_H

#include "server/cache/entry.h"

/* What shall be stored. */
struct entry {
    const struct cache_key *key;
    enum entry_kind kind;
    usec_t asked_at;
    struct span item;
    uint64_t form;
    struct span marks;
};

/* As cache_get. */
enum cache_verdict store_read(const struct cache *c, const struct cache_key *key,
                              struct buf *out, struct cache_hit *hit);

enum cache_put store_write(struct cache *c, const struct entry *entry);

/* Drops whatever is under the key's hash; without the lock.  True: something was. */
bool store_drop(const struct cache *c, uint64_t hash);

void store_prefetch(const struct cache *c, const struct cache_key *key);

#endif
