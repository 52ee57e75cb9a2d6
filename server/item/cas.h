/*
 * cas.h - a number that changes when an item does.
 *
 * Promise: a function of the item's bytes alone: the same in every worker, on every
 * machine and after a restart, so that a client may keep it for as long as it likes.
 */
#ifndef SERVER_ITEM_CAS_H
#define SERVER_ITEM_CAS_H

#include "common/span.h"

#include <stdint.h>

/* From 1 to 2^63 - 1: memcached's cas unique, which some clients keep in a signed number
 * and some take for "none" when it is 0. */
uint64_t item_cas(struct span json);

#endif
