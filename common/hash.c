/*
 * hash.c - a keyed hash for tables that strangers fill.
 */
#include "common/hash.h"

#include "common/clock.h"
#include "common/scan.h"

#include <sys/random.h>

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static inline void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTL(v[1], 13) ^ v[0];
    v[0] = ROTL(v[0], 32);
    v[2] += v[3];
    v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTL(v[1], 17) ^ v[2];
    v[2] = ROTL(v[2], 32);
}

void
hash_key_init(struct hash_key *key)
{
    /* Only a kernel older than 3.17 can fail here; a key that differs in each
     * process is still better than none. */
    if (getrandom(key, sizeof(*key), 0) != (ssize_t)sizeof(*key)) {
        key->k0 = clock_now() * 0x9e3779b97f4a7c15u;
        key->k1 = ~key->k0;
    }
}

uint64_t
hash_bytes(const struct hash_key *key, struct span s)
{
    uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
                      key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)s.n << 56, m;
    size_t at, tail = s.n & 7;

    /* Counted, not pointed at: the empty span may have no address to add to. */
    for (at = 0; at < s.n - tail; at += 8) {
        m = scan_load(s.p + at);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    if (tail > 0)
        last |= scan_load_few(s.p + at, tail);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
