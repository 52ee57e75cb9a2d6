/*
 * expect.c - what each item of the load table must look like.
 *
 * The digest multiplies 64 by 64 bits and folds the halves, 64 bytes a step in four
 * lanes that do not wait for each other (the idea of wyhash, Wang Yi): 340 bytes take
 * about 20 ns.  Every byte passes through a multiplication; it is no defence against
 * somebody who wants to fool it.
 */
#include "tests/load/expect.h"

#include "tests/load/row.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LANES 4
#define LANE_BYTES 16
#define STEP_BYTES ((size_t)(LANES * LANE_BYTES))
#define LENGTH_BITS 16
#define HUGE_PAGE ((size_t)2 << 20)

struct expect {
    uint32_t rows;
    uint64_t items[]; /* digest << LENGTH_BITS | length */
};

__extension__ typedef unsigned __int128 uint128;

static inline uint64_t
fold(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline void
digest_step(uint64_t lanes[LANES], const char *p)
{
    static const uint64_t odd[LANES] = {
        UINT64_C(0xa0761d6478bd642f),
        UINT64_C(0xe7037ed1a0b428db),
        UINT64_C(0x8ebc6af09c88c6e3),
        UINT64_C(0x589965cc75374cc3),
    };
    uint64_t words[2];
    size_t i;

    for (i = 0; i < LANES; i++) {
        memcpy(words, p + i * LANE_BYTES, sizeof(words));
        lanes[i] = fold(words[0] ^ odd[i], words[1] ^ lanes[i]);
    }
}

static uint64_t
digest(const char *p, size_t n)
{
    uint64_t lanes[LANES] = { n, n + 1, n + 2, n + 3 };
    char rest[STEP_BYTES] = { 0 };

    for (; n >= STEP_BYTES; n -= STEP_BYTES, p += STEP_BYTES)
        digest_step(lanes, p);
    memcpy(rest, p, n);
    digest_step(lanes, rest);
    return fold(lanes[0] ^ lanes[1], lanes[2] ^ lanes[3] ^ UINT64_C(0x1d8e4e27c47d124f));
}

static uint64_t
entry(const char *item, size_t length)
{
    return digest(item, length) << LENGTH_BITS | length;
}

struct expect *
expect_new(uint32_t rows)
{
    size_t bytes = sizeof(struct expect) + rows * sizeof(uint64_t);
    struct expect *e = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) & -HUGE_PAGE);
    char item[ROW_ITEM_MAX];
    uint32_t id;

    if (e == NULL)
        return NULL;
    /* Looked at in no order: large pages spare the walk through the page tables.  A
     * kernel that has none is as right. */
    madvise(e, bytes, MADV_HUGEPAGE);
    e->rows = rows;
    for (id = 1; id <= rows; id++)
        e->items[id - 1] = entry(item, row_item(id, item));
    return e;
}

void
expect_free(struct expect **expect)
{
    free(*expect);
    *expect = NULL;
}

void
expect_prefetch(const struct expect *expect, uint32_t id)
{
    if (expect_exists(expect, id))
        __builtin_prefetch(&expect->items[id - 1]);
}

bool
expect_exists(const struct expect *expect, uint32_t id)
{
    return id >= 1 && id <= expect->rows;
}

size_t
expect_length(const struct expect *expect, uint32_t id)
{
    assert(expect_exists(expect, id));
    return expect->items[id - 1] & ((1 << LENGTH_BITS) - 1);
}

bool
expect_equal(const struct expect *expect, uint32_t id, const char *item)
{
    return entry(item, expect_length(expect, id)) == expect->items[id - 1];
}
