/*
 * test_cache_death.c - processes that are killed, or stopped, while they hold something.
 *
 * Nobody else may wait for them, or find anything but what was once put.  A wait would
 * show as time on the processor (spinning) or as time in which the processor was given up
 * on purpose (sleeping); without that a long time only shows how busy the machine is.
 */
#include "tests/unit/cache_fixture.h"

#include "common/compiler.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPACITY 5
#define IDS 3000
#define ITEM_MOST 1500
/* A fork costs the address sanitizer ten times as much. */
#if defined(__SANITIZE_ADDRESS__)
#define KILLS 200
#else
#define KILLS 1000
#endif
#define OBSERVERS 2
#define STALL (100 * USEC_PER_MSEC)

/* What the processes of one test share. */
struct shared {
    _Atomic bool stop;
    _Atomic unsigned wrong;
    _Atomic unsigned stalls;
    _Atomic uint64_t stored[OBSERVERS];
    _Atomic uint64_t found[OBSERVERS];
};

struct doom {
    enum cache_point point;
    unsigned countdown;
    int signal;
};

static void
doom_hook(void *arg, enum cache_point where)
{
    struct doom *doom = arg;

    if (where == doom->point && --doom->countdown == 0)
        raise(doom->signal);
}

static void
some_work(struct cache *c, uint64_t *random)
{
    unsigned id = fixture_random(random) % IDS;
    enum cache_verdict verdict;
    char text[16];
    struct cache_key key = fixture_key(c, id, text);
    struct lease lease;
    usec_t asked_at, now = clock_now();

    switch (fixture_random(random) % 8) {
    case 0:
        cache_invalidate(c, &key, now);
        break;
    case 1:
        if (lease_take(c, &key, now, 100 * USEC_PER_MSEC, &lease) == LEASE_MINE)
            lease_finish(c, &lease, LEASE_STORED, now);
        break;
    case 2:
        (void)fixture_get(c, id, ITEM_MOST, &verdict, &asked_at);
        break;
    default:
        fixture_put(c, id, now, ITEM_MOST);
        break;
    }
}

static int
victim(struct cache *c, void *arg)
{
    uint64_t random = (uint64_t)getpid() * 0x9e3779b97f4a7c15u;
    size_t i;

    if (arg != NULL) {
        c->hook = doom_hook;
        c->hook_arg = arg;
    }
    for (i = 0; i < 3000; i++)
        some_work(c, &random);
    return 0;
}

struct effort {
    usec_t wall;
    usec_t processor;
    long sleeps;
};

static struct effort
effort_now(void)
{
    struct rusage use;
    struct timespec ts;

    getrusage(RUSAGE_SELF, &use);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (struct effort){ clock_now(),
                            (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000,
                            use.ru_nvcsw };
}

static bool
has_waited(struct effort since)
{
    struct effort now = effort_now();

    return now.processor - since.processor > STALL ||
           (now.wall - since.wall > STALL && now.sleeps != since.sleeps);
}

struct observer {
    struct shared *shared;
    size_t index;
};

static int
observe(struct cache *c, void *arg)
{
    struct observer *self = arg;
    struct shared *shared = self->shared;
    uint64_t random = 4711 + self->index;
    enum cache_verdict verdict;
    struct effort since;
    usec_t asked_at;
    unsigned id;

    while (!shared->stop) {
        id = fixture_random(&random) % IDS;
        since = effort_now();
        if (!fixture_get(c, id, ITEM_MOST, &verdict, &asked_at))
            shared->wrong++;
        shared->found[self->index] += verdict != CACHE_MISS;
        if (fixture_put(c, id, clock_now(), ITEM_MOST) == CACHE_STORED)
            shared->stored[self->index]++;
        shared->stalls += has_waited(since);
    }
    return 0;
}

/* One victim, killed at a point of the hook or, every other time, at any instruction. */
static bool
kill_one(struct cache *c, unsigned round, uint64_t *random)
{
    struct doom doom = { .point = (enum cache_point)(round / 2 % CACHE_POINTS),
                         .countdown = 1 + fixture_random(random) % 4,
                         .signal = SIGKILL };
    bool anywhere = round % 2 == 0;
    pid_t pid = fixture_fork(c, 1, victim, anywhere ? NULL : &doom);
    struct timespec nap = { 0, 0 };
    bool killed;

    if (anywhere) {
        nap.tv_nsec = fixture_random(random) % 400000;
        nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
    }
    killed = fixture_wait(pid) == -1;
    cache_slot_died(c, 1);
    return killed;
}

static void
cache_survives_a_thousand_kills(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct shared *shared = fixture_shared(sizeof(*shared));
    struct observer observers[OBSERVERS];
    struct cache_stats stats;
    pid_t pids[OBSERVERS];
    uint64_t random = 1234567;
    unsigned round, kills = 0;
    size_t i;

    (void)state;
    for (i = 0; i < OBSERVERS; i++) {
        observers[i] = (struct observer){ shared, i };
        pids[i] = fixture_fork(c, 2 + i, observe, &observers[i]);
    }
    for (round = 0; kills < KILLS; round++)
        kills += kill_one(c, round, &random);
    shared->stop = true;
    for (i = 0; i < OBSERVERS; i++)
        assert_int_equal(fixture_wait(pids[i]), 0);
    cache_stats(c, &stats);
    print_message("%u kills: %u wiped, %u not stored, %u stored by observers\n", kills,
                  (unsigned)stats.wiped, (unsigned)stats.not_stored,
                  (unsigned)(shared->stored[0] + shared->stored[1]));
    assert_int_equal(shared->wrong, 0);
    assert_int_equal(shared->stalls, 0);
    assert_true(stats.wiped > 0);
    for (i = 0; i < OBSERVERS; i++) {
        assert_true(shared->stored[i] > KILLS);
        assert_true(shared->found[i] > 0);
    }
    cache_free(&c);
}

/* Each point alone: whoever comes next takes over at once and all works again. */
static void
cache_lock_of_the_dead_is_taken_over_at_every_point(void **state)
{
    static const enum cache_point locked[] = {
        CACHE_POINT_LOCKED,  CACHE_POINT_WRITING, CACHE_POINT_WRITTEN,
        CACHE_POINT_PENDING, CACHE_POINT_CHECKED, CACHE_POINT_CONFIRMED,
    };
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct cache *mine = fixture_view(c, CACHE_BYTES_MIN, CAPACITY, 0);
    struct cache_stats stats;
    enum cache_verdict verdict;
    usec_t asked_at;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(locked); i++) {
        struct doom doom = { locked[i], 1, SIGKILL };

        assert_int_equal(fixture_wait(fixture_fork(c, 1, victim, &doom)), -1);
        /* Not reaped yet as far as the cache knows: it may be alive. */
        assert_int_equal(fixture_put(mine, 1, clock_now(), 100), CACHE_NOT_STORED);
        cache_slot_died(c, 1);
        assert_int_equal(fixture_put(mine, 2, clock_now(), 100), CACHE_STORED);
        assert_true(fixture_get(mine, 2, 100, &verdict, &asked_at));
        assert_int_not_equal(verdict, CACHE_MISS);
        cache_stats(c, &stats);
        assert_int_equal(stats.wiped, i + 1);
        assert_int_equal(stats.entries, 1);
    }
    cache_free(&mine);
    cache_free(&c);
}

static int
put_one(struct cache *c, void *arg)
{
    struct doom *doom = arg;

    c->hook = doom_hook;
    c->hook_arg = doom;
    return (int)fixture_put(c, 1, 1000, 100);
}

/* Stops at the first entry being written, and at the first one pending. */
static void
stop_twice(void *arg, enum cache_point where)
{
    unsigned *stops = arg;

    if ((where == CACHE_POINT_WRITING && *stops == 0) ||
        (where == CACHE_POINT_PENDING && *stops == 1)) {
        (*stops)++;
        raise(SIGSTOP);
    }
}

static int
put_stopping_twice(struct cache *c, void *arg)
{
    unsigned stops = 0;

    (void)arg;
    c->hook = stop_twice;
    c->hook_arg = &stops;
    return (int)fixture_put(c, 1, 1000, 100);
}

/* Between being in the index and having been compared with the times an entry is there
 * for invalidations alone: the one that was over before would be betrayed. */
static void
cache_pending_is_not_for_readers(void **state)
{
    struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
    struct cache *mine = fixture_view(c, CACHE_BYTES_MIN, CAPACITY, 0);
    pid_t pid = fixture_fork(c, 1, put_stopping_twice, NULL);
    enum cache_verdict verdict;
    struct cache_key key;
    usec_t asked_at;
    char text[16];
    int status;

    (void)state;
    key = fixture_key(mine, 1, text);
    waitpid(pid, &status, WUNTRACED);
    assert_true(WIFSTOPPED(status));
    cache_invalidate(mine, &key, 1000);
    kill(pid, SIGCONT);
    waitpid(pid, &status, WUNTRACED);
    assert_true(WIFSTOPPED(status));
    assert_true(fixture_get(mine, 1, 100, &verdict, &asked_at));
    assert_int_equal(verdict, CACHE_MISS);
    kill(pid, SIGCONT);
    assert_int_equal(fixture_wait(pid), CACHE_REFUSED);
    assert_true(fixture_get(mine, 1, 100, &verdict, &asked_at));
    assert_int_equal(verdict, CACHE_MISS);
    cache_free(&mine);
    cache_free(&c);
}

/* A writer stopped anywhere: others read, do not store, and invalidate; and what was
 * invalidated while it stood still is not found when it goes on. */
static void
cache_invalidation_wins_over_a_fill_at_every_point(void **state)
{
    static const enum cache_point points[] = {
        CACHE_POINT_LOCKED,  CACHE_POINT_WRITING, CACHE_POINT_WRITTEN,
        CACHE_POINT_PENDING, CACHE_POINT_CHECKED, CACHE_POINT_CONFIRMED,
    };
    size_t i, old;

    (void)state;
    for (i = 0; i < 2 * ARRAY_LEN(points); i++) {
        struct cache *c = cache_new(CACHE_BYTES_MIN, CAPACITY);
        struct cache *mine = fixture_view(c, CACHE_BYTES_MIN, CAPACITY, 0);
        struct doom doom = { points[i / 2], 1, SIGSTOP };
        enum cache_verdict verdict;
        struct cache_key key;
        usec_t asked_at;
        char text[16];
        pid_t pid;
        int status;

        /* Once as a new entry, once over one that is there. */
        for (old = 0; old < i % 2; old++)
            fixture_put(mine, 1, 999, 100);
        fixture_put(mine, 2, 1000, 100);
        pid = fixture_fork(c, 1, put_one, &doom);
        waitpid(pid, &status, WUNTRACED);
        if (WIFSTOPPED(status)) {
            assert_int_equal(fixture_put(mine, 3, 1000, 100), CACHE_NOT_STORED);
            assert_true(fixture_get(mine, 2, 100, &verdict, &asked_at));
            assert_int_not_equal(verdict, CACHE_MISS);
            assert_true(fixture_get(mine, 1, 100, &verdict, &asked_at));
            key = fixture_key(mine, 1, text);
            cache_invalidate(mine, &key, 1000);
            assert_true(fixture_get(mine, 1, 100, &verdict, &asked_at));
            assert_int_equal(verdict, CACHE_MISS);
            kill(pid, SIGCONT);
            fixture_wait(pid);
            assert_true(fixture_get(mine, 1, 100, &verdict, &asked_at));
            assert_int_equal(verdict, CACHE_MISS);
        } else
            assert_int_equal(i % 2, 1); /* written in its old place: fewer points */
        /* Later than the invalidation: its place in the table of times may be shared. */
        assert_int_equal(fixture_put(mine, 3, 1001, 100), CACHE_STORED);
        cache_free(&mine);
        cache_free(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_lock_of_the_dead_is_taken_over_at_every_point),
        cmocka_unit_test(cache_invalidation_wins_over_a_fill_at_every_point),
        cmocka_unit_test(cache_pending_is_not_for_readers),
        cmocka_unit_test(cache_survives_a_thousand_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
