/*
 * hash.h - a keyed hash for tables that strangers fill.
 *
 * SipHash-1-3 (Aumasson and Bernstein; the reduced rounds that Rust and Python use
 * for the same purpose): with a secret key nobody can choose ids that collide.
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include "common/span.h"

#include <stdint.h>

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

/* A fresh random key from the kernel. */
void hash_key_init(struct hash_key *key);

uint64_t hash_bytes(const struct hash_key *key, struct span s);

#endif
