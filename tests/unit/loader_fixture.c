/*
 * loader_fixture.c - a loader over a source that answers when the test says so.
 */
#include "tests/unit/loader_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define START (1000 * USEC_PER_SEC)
#define PATIENCE (10 * USEC_PER_SEC)

static struct bench *
bench_of(const struct source *s)
{
    return CONTAINER_OF(s, struct bench, source);
}

static enum source_state
fake_state(const struct source *s)
{
    return bench_of(s)->state;
}

static bool
fake_room(const struct source *s)
{
    assert_int_equal(bench_of(s)->state, SOURCE_UP);
    return bench_of(s)->nheld < bench_of(s)->room;
}

static size_t
fake_batch_ids(const struct source *s)
{
    return bench_of(s)->batch_ids;
}

static void
fake_fetch(struct source *s, struct batch *batch)
{
    struct bench *b = bench_of(s);

    assert_true(fake_room(s));
    assert_in_range(batch_size(batch), 1, BENCH_MAX_BATCH);
    b->fetches++;
    b->ids_asked += batch_size(batch);
    b->held[b->nheld++] = batch;
}

static const struct source_ops fake_ops = {
    .kind = "fake",
    .failure = ITEM_FAIL_DATABASE,
    .state = fake_state,
    .room = fake_room,
    .batch_ids = fake_batch_ids,
    .fetch = fake_fetch,
};

int
bench_setup(void **state)
{
    const struct loader_limits limits = { .max_batch = BENCH_MAX_BATCH,
                                          .shared_batch = BENCH_SHARED_BATCH };
    struct bench *b = calloc(1, sizeof(*b));
    size_t i;

    if (b == NULL)
        return -1;
    b->source = (struct source){ .ops = &fake_ops, .name = "items", .key = "id" };
    b->state = SOURCE_UP;
    b->room = 1;
    b->batch_ids = SIZE_MAX;
    b->now = START;
    b->loader = loader_new(&b->source, &limits, &b->metrics);
    for (i = 0; i < BENCH_FLOWS; i++)
        loader_flow_init(&b->flows[i]);
    *state = b;
    return b->loader == NULL ? -1 : 0;
}

int
bench_teardown(void **state)
{
    struct bench *b = *state;
    size_t i;

    for (i = 0; i < b->nwaiters; i++)
        loader_cancel(&b->waiters[i].waiter);
    while (b->nheld > 0)
        bench_done(b, 0, BATCH_LOST);
    for (i = 0; i < BENCH_FLOWS; i++)
        loader_flow_fini(&b->flows[i]);
    loader_free(&b->loader);
    assert_null(b->loader);
    assert_int_equal(metrics_get(&b->metrics, METRIC_queued_ids), 0);
    assert_int_equal(metrics_get(&b->metrics, METRIC_inflight_statements), 0);
    free(b);
    return 0;
}

static void
on_answer(struct loader_waiter *w, enum item_status status, struct span json,
          struct item_pack *pack)
{
    struct heard *h = CONTAINER_OF(w, struct heard, waiter);

    h->times++;
    h->status = status;
    assert_null(w->want);
    if (status != ITEM_FOUND) {
        assert_null(pack);
        assert_int_equal(json.n, 0);
        return;
    }
    assert_non_null(pack);
    assert_true(json.n < sizeof(h->json));
    memcpy(h->json, json.p, json.n);
    h->json[json.n] = '\0';
}

static unsigned
all_heard(const struct bench *b)
{
    unsigned sum = 0;
    size_t i;

    for (i = 0; i < b->nwaiters; i++)
        sum += b->waiters[i].times;
    return sum;
}

static struct heard *
want(struct bench *b, size_t flow, const char *id, usec_t deadline, bool fresh)
{
    struct heard *h = &b->waiters[b->nwaiters++];
    unsigned before = all_heard(b);

    assert_true(b->nwaiters <= BENCH_WAITERS && flow < BENCH_FLOWS);
    h->waiter.deadline = deadline;
    h->waiter.fresh = fresh;
    h->waiter.answered = on_answer;
    assert_int_equal(loader_want(b->loader, &b->flows[flow], span_str(id), &h->waiter),
                     0);
    assert_int_equal(all_heard(b), before);
    return h;
}

struct heard *
bench_want_until(struct bench *b, size_t flow, const char *id, usec_t deadline)
{
    return want(b, flow, id, deadline, false);
}

struct heard *
bench_want(struct bench *b, size_t flow, const char *id)
{
    return want(b, flow, id, b->now + PATIENCE, false);
}

struct heard *
bench_want_fresh(struct bench *b, size_t flow, const char *id)
{
    return want(b, flow, id, b->now + PATIENCE, true);
}

void
bench_want_many(struct bench *b, size_t flow, unsigned from, unsigned n)
{
    char id[16];
    unsigned i;

    for (i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%u", from + i);
        bench_want(b, flow, id);
    }
}

void
bench_end_turn(struct bench *b)
{
    loader_flush(b->loader);
}

const char *
bench_ids(const struct bench *b, size_t i)
{
    static char text[BENCH_MAX_BATCH * 32];
    size_t at, n = 0;

    assert_true(i < b->nheld);
    text[0] = '\0';
    for (at = 0; at < batch_size(b->held[i]); at++) {
        struct span id = batch_id(b->held[i], at);

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", at > 0 ? " " : "",
                              SPAN_FMT(id));
        assert_true(n < sizeof(text));
    }
    return text;
}

static size_t
place_of(const struct bench *b, size_t i, const char *id)
{
    long place;

    assert_true(i < b->nheld);
    place = batch_find(b->held[i], span_str(id));
    assert_in_range(place, 0, batch_size(b->held[i]) - 1);
    return (size_t)place;
}

void
bench_row(struct bench *b, size_t i, const char *id)
{
    struct buf *bytes;
    size_t off, place = place_of(b, i, id);

    bytes = batch_bytes(b->held[i]);
    off = bytes->len;
    buf_append_fmt(bytes, "{\"id\":\"%s\"}", id);
    batch_item(b->held[i], place, off);
}

void
bench_row_failed(struct bench *b, size_t i, const char *id, enum item_status status)
{
    batch_fail(b->held[i], place_of(b, i, id), status);
}

void
bench_done(struct bench *b, size_t i, enum batch_outcome outcome)
{
    struct batch *batch = b->held[i];

    assert_true(i < b->nheld);
    b->nheld--;
    memmove(&b->held[i], &b->held[i + 1], (b->nheld - i) * sizeof(b->held[0]));
    batch_done(batch, outcome, b->now);
}

void
bench_complete(struct bench *b, size_t i)
{
    char id[SOURCE_KEY_MAX + 1];
    size_t at;

    assert_true(i < b->nheld);
    for (at = 0; at < batch_size(b->held[i]); at++) {
        struct span s = batch_id(b->held[i], at);

        snprintf(id, sizeof(id), "%.*s", SPAN_FMT(s));
        bench_row(b, i, id);
    }
    bench_done(b, i, BATCH_COMPLETE);
    loader_settle(b->loader, SIZE_MAX);
}

void
assert_heard(const struct heard *h, enum item_status status)
{
    assert_int_equal(h->times, 1);
    assert_int_equal(h->status, status);
}

void
assert_found(const struct heard *h, const char *json)
{
    assert_heard(h, ITEM_FOUND);
    assert_string_equal(h->json, json);
}

void
assert_silence(const struct heard *h)
{
    assert_int_equal(h->times, 0);
}
