/*
 * test_cache_flips.c - bits that change by themselves cost hits, never a wrong byte.
 *
 * One process flips random bits anywhere in the region (head, index, locks, leases,
 * entries) as fast as it can while others read, write, invalidate and lease.
 */
#include "server/cache/entry.h"
#include "tests/unit/cache_fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPACITY 5
#define IDS 1500
#define ITEM_MOST 900
#define USERS 2
#define FLIPS 100000
#define LIFETIME_S 60 /* of a process that went around in circles */

struct shared {
    _Atomic bool stop;
    _Atomic unsigned wrong;
    _Atomic unsigned heard;
    _Atomic uint64_t rounds[USERS];
    _Atomic uint64_t found[USERS];
};

struct user {
    struct shared *shared;
    size_t index;
};

/* All leases end in LEASE_STORED: to hear anything else is to hear a lie. */
static void
use_lease(struct cache *c, struct shared *shared, const struct cache_key *key)
{
    usec_t now = clock_now();
    enum lease_state heard;
    struct lease lease;
    unsigned tries = 1000;

    switch (lease_take(c, key, now, USEC_PER_MSEC, &lease)) {
    case LEASE_MINE:
        lease_finish(c, &lease, LEASE_STORED, now);
        break;
    case LEASE_ELSEWHERE:
        while ((heard = lease_look(c, &lease, now)) == LEASE_HELD && tries-- > 0)
            now = clock_now();
        switch (heard) {
        case LEASE_HELD:
        case LEASE_LOST:
            break;
        case LEASE_STORED:
            shared->heard++;
            break;
        case LEASE_ABSENT:
        case LEASE_FAILED:
        case LEASE_NOT_STORED:
            shared->wrong++;
            break;
        }
        break;
    case LEASE_NONE:
        break;
    }
}

static int
use(struct cache *c, void *arg)
{
    struct user *self = arg;
    struct shared *shared = self->shared;
    uint64_t random = 99 + self->index;
    enum cache_verdict verdict;
    struct cache_key key;
    usec_t asked_at;
    char text[16];
    unsigned id, what;

    alarm(LIFETIME_S);
    while (!shared->stop) {
        id = fixture_random(&random) % IDS;
        what = fixture_random(&random) % 32;
        key = fixture_key(c, what < 8 ? id % 8 : id, text);
        if (!fixture_get(c, id, ITEM_MOST, &verdict, &asked_at))
            shared->wrong++;
        shared->found[self->index] += verdict != CACHE_MISS;
        if (verdict == CACHE_MISS || what < 2)
            fixture_put(c, id, clock_now(), ITEM_MOST);
        else if (what == 2)
            cache_invalidate(c, &key, clock_now());
        else if (what < 8)
            use_lease(c, shared, &key);
        shared->rounds[self->index]++;
    }
    return 0;
}

static void
flip(struct cache *c, uint64_t *random)
{
    size_t at =
        ((size_t)fixture_random(random) << 20 ^ fixture_random(random)) % c->at.bytes;

    atomic_fetch_xor((_Atomic uint8_t *)(void *)(c->base + at),
                     (uint8_t)(1u << fixture_random(random) % 8));
}

/* Until each of the others has gone some rounds further, or is dead. */
static void
let_work(struct shared *shared, const pid_t pids[USERS], uint64_t rounds)
{
    uint64_t target;
    size_t i;

    for (i = 0; i < USERS; i++) {
        target = shared->rounds[i] + rounds;
        while (shared->rounds[i] < target && waitpid(pids[i], NULL, WNOHANG) == 0)
            sched_yield();
    }
}

static void
cache_never_lies_while_its_bits_flip(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct cache *mine = fixture_view(c, CACHE_BYTES_MIN, CAPACITY, 0);
    struct shared *shared = fixture_shared(sizeof(*shared));
    struct user users[USERS];
    enum cache_verdict verdict;
    pid_t pids[USERS];
    uint64_t random = 31337;
    unsigned i, found = 0;
    usec_t asked_at;

    (void)state;
    alarm(LIFETIME_S);
    for (i = 0; i < USERS; i++) {
        users[i] = (struct user){ shared, i };
        pids[i] = fixture_fork(c, 1 + i, use, &users[i]);
    }
    for (i = 0; i < FLIPS; i++) {
        flip(c, &random);
        if (i % 2048 == 0)
            let_work(shared, pids, 300);
    }
    shared->stop = true;
    for (i = 0; i < USERS; i++)
        assert_int_equal(fixture_wait(pids[i]), 0);
    print_message("%u flips: %u wrong, %u + %u found in %u + %u rounds, %u verdicts\n",
                  FLIPS, shared->wrong, (unsigned)shared->found[0],
                  (unsigned)shared->found[1], (unsigned)shared->rounds[0],
                  (unsigned)shared->rounds[1], shared->heard);
    assert_int_equal(shared->wrong, 0);
    assert_true(shared->found[0] + shared->found[1] > 0);

    /* And when it is over, all is well again. */
    for (i = 0; i < 4 * IDS; i++)
        fixture_put(mine, i % IDS, clock_now(), ITEM_MOST);
    for (i = 0; i < IDS; i++) {
        assert_true(fixture_get(mine, i, ITEM_MOST, &verdict, &asked_at));
        found += verdict != CACHE_MISS;
    }
    /* Not all: what was dropped left holes, and the rings are full. */
    assert_true(found > IDS * 8 / 10);
    cache_free(&mine);
    cache_free(&c);
}

/* Every bit of an entry and of the line that leads to it, one at a time. */
static void
cache_notices_every_single_bit(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    enum cache_verdict verdict;
    struct cache_key key;
    size_t i, at, misses = 0;
    usec_t asked_at;
    char text[16];

    (void)state;
    cache_join(c, 0);
    for (i = 1; fixture_put(c, 7, i, 200) != CACHE_STORED ||
                !fixture_get(c, 7, 200, &verdict, &asked_at) || verdict != CACHE_FOUND;
         i++)
        continue;
    key = fixture_key(c, 7, text);
    at = c->at.shards + c->at.ring[RING_SMALL];
    for (i = 0; i < 300 * 8; i++) {
        c->base[at + i / 8] ^= (char)(1u << i % 8);
        assert_true(fixture_get(c, 7, 200, &verdict, &asked_at));
        misses += verdict == CACHE_MISS;
        c->base[at + i / 8] ^= (char)(1u << i % 8);
    }
    assert_true(misses > 8 * (ENTRY_HEAD_BYTES + 100));
    for (i = 0; i < CACHE_LINE * 8; i++) {
        ((char *)key.line)[i / 8] ^= (char)(1u << i % 8);
        assert_true(fixture_get(c, 7, 200, &verdict, &asked_at));
        ((char *)key.line)[i / 8] ^= (char)(1u << i % 8);
    }
    assert_true(fixture_get(c, 7, 200, &verdict, &asked_at));
    assert_int_equal(verdict, CACHE_FOUND);
    cache_free(&c);
}

/* Sums as the processor does, but a writer comes to its end between the reading of the
 * times and the sum. */
static _Atomic uint64_t *late_word;
static uint64_t late_value;

static uint32_t
copy_late(uint32_t crc, const _Atomic uint64_t *words, size_t head, size_t bytes,
          char *to)
{
    atomic_store(late_word, late_value);
    return checksum_best()->copy(crc, words, head, bytes, to);
}

static void
cache_tells_no_time_that_was_not_summed(void **state)
{
    static const struct checksum late = { "late", copy_late };
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    _Atomic uint64_t *entry =
        (_Atomic uint64_t *)(void *)(c->base + c->at.shards + c->at.ring[RING_SMALL]);
    char text[16];
    struct cache_key key = fixture_key(c, 7, text);
    const size_t words[] = { ENTRY_ASKED,
                             ENTRY_WORDS + 1 }; /* the form is behind the id */
    size_t i;

    (void)state;
    cache_join(c, 0);
    assert_int_equal(cache_put_found(c, &key, 2000, SPAN("{}"), 5, span_of("", 0)),
                     CACHE_STORED);
    c->checksum = &late;
    for (i = 0; i < ARRAY_LEN(words); i++) {
        struct cache_hit hit = { 0 };
        struct buf out = BUF_INIT;

        late_word = &entry[words[i]];
        late_value = word_get(late_word);
        assert_int_equal(cache_get(c, &key, &out, &hit), CACHE_FOUND);
        buf_clear(&out);
        word_set(late_word, late_value - 1);
        assert_int_equal(cache_get(c, &key, &out, &hit), CACHE_MISS);
        assert_int_equal(buf_size(&out), 0);
        buf_fini(&out);
    }
    cache_free(&c);
}

static void
assert_hit_without_marks(struct cache *c, struct span item)
{
    struct cache_hit hit = { .with_marks = true };
    struct buf out = BUF_INIT;
    char text[16];
    struct cache_key key = fixture_key(c, 7, text);

    assert_int_equal(cache_get(c, &key, &out, &hit), CACHE_FOUND);
    assert_int_equal(hit.nmarks, 0);
    assert_true(span_equal(buf_span(&out), item));
    buf_fini(&out);
}

/* Puts the item of the single-entry tests with 'n' marks; returns where those lie. */
static _Atomic uint64_t *
put_with_marks(struct cache *c, usec_t asked_at, struct span item, size_t n)
{
    _Atomic uint64_t *entry =
        (_Atomic uint64_t *)(void *)(c->base + c->at.shards + c->at.ring[RING_SMALL]);
    struct span marks = span_of("\x05\x07\x01\x02\x03zzzzzz", n);
    char text[16];
    struct cache_key key = fixture_key(c, 7, text);
    struct parts p;

    assert_int_equal(cache_put_found(c, &key, asked_at, item, 5, marks), CACHE_STORED);
    p = parts_unpack(word_get(&entry[ENTRY_SIZES]));
    assert_int_equal(p.marks, n);
    return entry + parts_head_words(&p) + words_of(p.item);
}

/* Marks that are not those written, or not of this very entry, are none; the item is
 * there all the same. */
static void
cache_believes_no_marks_but_the_items_own(void **state)
{
    struct span item = SPAN("{\"a\":1,\"b\":[2]}");
    _Atomic uint64_t *marks;
    struct cache *c;
    uint64_t own[2], others[2];
    size_t i, n, bytes;

    (void)state;
    for (n = 1; n < 12; n++) {
        c = cache_new(CACHE_BYTES_MIN, CAPACITY);
        cache_join(c, 0);
        bytes = words_of(MARKS_SUM_BYTES + n) * 8;
        marks = put_with_marks(c, 2 * n, item, n);
        memcpy(others, (void *)marks, bytes);
        marks = put_with_marks(c, 2 * n + 1, item, n);
        memcpy(own, (void *)marks, bytes);
        for (i = 0; i < bytes * 8; i++) {
            marks[i / 64] ^= (uint64_t)1 << i % 64;
            assert_hit_without_marks(c, item);
            marks[i / 64] ^= (uint64_t)1 << i % 64;
        }
        memcpy((void *)marks, others, bytes);
        assert_hit_without_marks(c, item);
        memcpy((void *)marks, own, bytes);
        cache_free(&c);
    }
}

/* A slot that lost a bit of its tag is dropped by the invalidation all the same: it must
 * not be back when the bit is. */
static void
cache_invalidation_finds_a_slot_that_lost_a_bit(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    enum cache_verdict verdict;
    struct index_line *line;
    struct cache_key key;
    usec_t asked_at, now = 1;
    char text[16];
    size_t i;

    (void)state;
    cache_join(c, 0);
    key = fixture_key(c, 7, text);
    line = key.line;
    for (i = 0; i < 64; i++) {
        assert_int_equal(fixture_put(c, 7, ++now, 200), CACHE_STORED);
        line->slots[0] ^= (uint64_t)1 << i;
        cache_invalidate(c, &key, now);
        line->slots[0] ^= (uint64_t)1 << i;
        assert_true(fixture_get(c, 7, 200, &verdict, &asked_at));
        assert_int_equal(verdict, CACHE_MISS);
        line->slots[0] = 0;
    }
    cache_free(&c);
}

static void
cache_stats_tell_nothing_that_cannot_be(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct cache_stats stats;

    (void)state;
    region_shard(c, 0)->entries = (uint64_t)-1;
    region_shard(c, 0)->rings[RING_MAIN].used = (uint64_t)1 << 60;
    cache_stats(c, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.bytes, 0);
    cache_free(&c);
}

/* A time that lost a bit counts as one of now. */
static void
cache_times_never_fall(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    usec_t begin = clock_now(), asked_at = begin - 1000;
    struct region_head *head = (struct region_head *)(void *)c->base;
    struct cache_key key;
    char text[16];
    size_t i;

    (void)state;
    cache_join(c, 0);
    key = fixture_key(c, 7, text);
    for (i = 0; i < 64; i++) {
        cache_flush(c, begin);
        head->flushed ^= (uint64_t)1 << i;
        assert_true(cache_invalidated_since(c, &key, asked_at));
        assert_int_equal(fixture_put(c, 7, asked_at, 100), CACHE_REFUSED);
        assert_false(cache_invalidated_since(c, &key, clock_now() + 1));
    }
    cache_free(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_notices_every_single_bit),
        cmocka_unit_test(cache_tells_no_time_that_was_not_summed),
        cmocka_unit_test(cache_believes_no_marks_but_the_items_own),
        cmocka_unit_test(cache_invalidation_finds_a_slot_that_lost_a_bit),
        cmocka_unit_test(cache_times_never_fall),
        cmocka_unit_test(cache_stats_tell_nothing_that_cannot_be),
        cmocka_unit_test(cache_never_lies_while_its_bits_flip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
