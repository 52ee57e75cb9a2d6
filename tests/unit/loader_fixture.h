/*
 * loader_fixture.h - a loader over a source that answers when the test says so.
 *
 * Owns: a fake source that holds its batches, a few flows, and waiters that note what
 * they hear.  Time is a number: nothing here reads a clock.
 */
#ifndef TESTS_UNIT_LOADER_FIXTURE_H
#define TESTS_UNIT_LOADER_FIXTURE_H

#include "server/source/loader.h"

#define BENCH_FLOWS 4
#define BENCH_BATCHES 64
#define BENCH_WAITERS 1200
#define BENCH_MAX_BATCH 128
#define BENCH_SHARED_BATCH 16

struct heard {
    struct loader_waiter waiter;
    unsigned times;
    enum item_status status;
    char json[64];
};

struct bench {
    struct source source;
    struct source_crowd crowd; /* the source's, for tests that give it one */
    enum source_state state;
    size_t room;      /* batches it takes at a time */
    size_t batch_ids; /* its advice, by expected bytes */
    struct batch *held[BENCH_BATCHES];
    size_t nheld;
    unsigned fetches;
    size_t ids_asked;

    struct metrics metrics;
    struct loader *loader;
    struct loader_flow flows[BENCH_FLOWS];
    struct heard waiters[BENCH_WAITERS];
    size_t nwaiters;
    usec_t now;
};

/* A loader of at most BENCH_MAX_BATCH ids a batch, over a source that is up and has
 * room for one batch. */
int bench_setup(void **state);

/* Cancels who still waits, gives up what is in flight and checks that nothing is left. */
int bench_teardown(void **state);

/* Wants 'id' for one more waiter, who has ten seconds; nobody hears anything meanwhile. */
struct heard *bench_want(struct bench *b, size_t flow, const char *id);

/* The same for one who takes nothing that was asked for before. */
struct heard *bench_want_fresh(struct bench *b, size_t flow, const char *id);

struct heard *bench_want_until(struct bench *b, size_t flow, const char *id,
                               usec_t deadline);

/* Wants the 'n' ids from 'from' on. */
void bench_want_many(struct bench *b, size_t flow, unsigned from, unsigned n);

void bench_end_turn(struct bench *b);

/* The ids of the i-th held batch, "7 8 9". */
const char *bench_ids(const struct bench *b, size_t i);

/* In the i-th held batch: the row of 'id' came; 'id' failed alone. */
void bench_row(struct bench *b, size_t i, const char *id);
void bench_row_failed(struct bench *b, size_t i, const char *id, enum item_status status);

/* The i-th held batch is over; with all its rows, and all is settled. */
void bench_done(struct bench *b, size_t i, enum batch_outcome outcome);
void bench_complete(struct bench *b, size_t i);

/* Heard once, and this. */
void assert_heard(const struct heard *h, enum item_status status);
void assert_found(const struct heard *h, const char *json);
void assert_silence(const struct heard *h);

#endif
