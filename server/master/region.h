/*
 * region.h - the memory of the cache that all workers share, in the master's hands.
 *
 * Owns: making it once, before the first fork, as large as the configuration says.
 */
#ifndef SERVER_MASTER_REGION_H
#define SERVER_MASTER_REGION_H

#include "common/compiler.h"
#include "server/cache/cache.h"
#include "server/config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* '*cache' is NULL when the configuration wants none.  false: there is not the memory
 * for it, and that was logged. */
bool region_open(const struct config *config, struct cache **cache) MUST_CHECK;

/* The descriptors of a region that another program made. */
struct region_fds {
    int fds[CACHE_FDS_MAX];
    size_t n;
};

/* Takes that region over, or opens another one when it does not suit this program or
 * this configuration: an empty cache then.  As region_open; takes the descriptors. */
bool region_take_over(const struct config *config, struct region_fds *carried,
                      struct cache **cache) MUST_CHECK;

/* The worker in 'slot' was reaped. */
void region_slot_died(struct cache *cache, size_t slot);

#endif
