/*
 * region.c - the memory of the cache that all workers share, in the master's hands.
 */
#include "server/master/region.h"

#include "common/log.h"
#include "server/stats/scoreboard.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool
region_open(const struct config *config, struct cache **cache)
{
    *cache = NULL;
    if (config->cache_bytes == 0)
        return true;
    *cache = cache_new(config->cache_bytes, SCOREBOARD_CAPACITY);
    if (*cache == NULL)
        log_error("cannot start: no memory for a cache of %zu bytes: %s",
                  config->cache_bytes, strerror(errno));
    return *cache != NULL;
}

bool
region_take_over(const struct config *config, struct region_fds *carried,
                 struct cache **cache)
{
    *cache = NULL;
    if (carried->n > 0 && config->cache_bytes > 0)
        *cache = cache_adopt(carried->fds, carried->n, config->cache_bytes,
                             SCOREBOARD_CAPACITY);
    if (*cache != NULL)
        return true;
    if (carried->n > 0 && config->cache_bytes > 0)
        log_warn("upgrade: the cache has another layout or size; it begins empty");
    while (carried->n > 0)
        close(carried->fds[--carried->n]);
    return region_open(config, cache);
}

void
region_slot_died(struct cache *cache, size_t slot)
{
    if (cache != NULL)
        cache_slot_died(cache, slot);
}
