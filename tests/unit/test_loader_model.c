/*
 * test_loader_model.c - many random steps against a model of the loader's promises.
 *
 * Waiters come and go, answer by asking again now and then, batches come back in every
 * way there is, the source goes up and down.  After each step the model knows who must
 * have heard what; at the end everybody has heard and nothing is left.
 */
#include "server/source/loader.h"
#include "tests/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEPS 20000
#define WAITERS 64
#define FLOWS 3
#define IDS 24
#define HELD 3
#define MAX_BATCH 7

struct person {
    struct loader_waiter waiter;
    bool waits;
    unsigned id;
};

static struct {
    uint64_t seed;
    struct source source;
    enum source_state state;
    struct batch *held[HELD];
    size_t nheld;
    unsigned places[IDS]; /* batches in flight that hold this id */
    struct metrics metrics;
    struct loader *loader;
    struct loader_flow flows[FLOWS];
    struct person people[WAITERS];
    usec_t now;
    bool asking; /* inside loader_want: nobody may hear anything */

    /* the batch that is being answered */
    bool answering;
    enum item_status told[IDS]; /* what the source said of this id; OPEN: nothing */
    bool asked[IDS];
    enum batch_outcome outcome;

    unsigned long wants, answers, cancels;
    unsigned long by_status[ITEM_NSTATUSES];
} m;

static unsigned
chance(unsigned n)
{
    return (unsigned)(random_next(&m.seed) % n);
}

static struct span
id_text(unsigned id, char *out)
{
    return span_of(out, (size_t)sprintf(out, "%u", id * 7));
}

static unsigned
id_number(struct span s)
{
    char text[16] = "";

    assert_true(s.n > 0 && s.n < sizeof(text));
    memcpy(text, s.p, s.n);
    return (unsigned)atoi(text) / 7;
}

/* --- the source ------------------------------------------------------------------ */

static enum source_state
model_state(const struct source *s)
{
    (void)s;
    return m.state;
}

static bool
model_room(const struct source *s)
{
    (void)s;
    return m.nheld < HELD;
}

static size_t
model_batch_ids(const struct source *s)
{
    (void)s;
    return 1 + chance(2 * MAX_BATCH);
}

static bool
somebody_waits_for(unsigned id)
{
    size_t i;

    for (i = 0; i < WAITERS; i++) {
        if (m.people[i].waits && m.people[i].id == id)
            return true;
    }
    return false;
}

static void
model_fetch(struct source *s, struct batch *batch)
{
    size_t i;

    (void)s;
    assert_int_equal(m.state, SOURCE_UP);
    assert_in_range(batch_size(batch), 1, MAX_BATCH);
    for (i = 0; i < batch_size(batch); i++) {
        unsigned id = id_number(batch_id(batch, i));

        assert_int_equal(m.places[id]++, 0);
        assert_true(somebody_waits_for(id));
        assert_int_equal(batch_find(batch, batch_id(batch, i)), i);
    }
    m.held[m.nheld++] = batch;
}

static const struct source_ops model_ops = {
    .kind = "model",
    .failure = ITEM_FAIL_DATABASE,
    .state = model_state,
    .room = model_room,
    .batch_ids = model_batch_ids,
    .fetch = model_fetch,
};

/* --- the waiters ----------------------------------------------------------------- */

/* May an id of which the source said nothing be answered like this? */
static bool
open_may_be(enum item_status status)
{
    switch (m.outcome) {
    case BATCH_COMPLETE:
        return status == ITEM_MISS;
    case BATCH_FAILED:
    case BATCH_LOST:
        return status == ITEM_FAIL_DATABASE;
    case BATCH_TIMEOUT:
        return status == ITEM_FAIL_TIMEOUT;
    case BATCH_REFUSED:
        return status == ITEM_FAIL_BADID;
    case BATCH_CUT:
    case BATCH_TOOBIG:
        return status == ITEM_FAIL_TOOBIG;
    }
    return false;
}

static void person_want(struct person *p, unsigned id);

static void
on_answer(struct loader_waiter *w, enum item_status status, struct span json,
          struct item_pack *pack)
{
    struct person *p = CONTAINER_OF(w, struct person, waiter);
    char text[16];

    assert_true(p->waits && !m.asking);
    assert_true((status == ITEM_FOUND) == (pack != NULL));
    if (status == ITEM_FOUND)
        assert_true(span_equal(json, id_text(p->id, text)));
    if (!m.answering) {
        assert_int_equal(m.state, SOURCE_DOWN);
        assert_int_equal(status, ITEM_FAIL_DATABASE);
    } else {
        assert_true(m.asked[p->id]);
        if (m.told[p->id] != ITEM_OPEN)
            assert_int_equal(status, m.told[p->id]);
        else
            assert_true(open_may_be(status));
    }
    p->waits = false;
    m.answers++;
    m.by_status[status]++;
    if (chance(16) == 0)
        person_want(p, chance(IDS));
}

static void
person_want(struct person *p, unsigned id)
{
    char text[16];

    p->id = id;
    p->waits = true;
    p->waiter.deadline = m.now + chance(5000);
    p->waiter.answered = on_answer;
    m.wants++;
    m.asking = true;
    assert_int_equal(loader_want(m.loader, &m.flows[chance(FLOWS)], id_text(id, text),
                                 &p->waiter),
                     0);
    m.asking = false;
}

/* --- the steps --------------------------------------------------------------------- */

static void
step_want_or_cancel(void)
{
    struct person *p = &m.people[chance(WAITERS)];

    if (!p->waits) {
        person_want(p, chance(IDS));
    } else if (chance(3) == 0) {
        loader_cancel(&p->waiter);
        p->waits = false;
        m.cancels++;
    }
}

static void
tell_some(struct batch *batch, unsigned one_in)
{
    char text[16];
    size_t i, off;

    for (i = 0; i < batch_size(batch); i++) {
        unsigned id = id_number(batch_id(batch, i));

        m.asked[id] = true;
        m.places[id]--;
        if (chance(one_in) != 0)
            continue;
        if (chance(4) == 0) {
            m.told[id] = ITEM_FAIL_TOOBIG;
            batch_fail(batch, i, ITEM_FAIL_TOOBIG);
            continue;
        }
        off = batch_bytes(batch)->len;
        buf_append_span(batch_bytes(batch), id_text(id, text));
        m.told[id] = ITEM_FOUND;
        batch_item(batch, i, off);
    }
}

static void
step_answer(void)
{
    size_t i = m.nheld == 0 ? 0 : chance((unsigned)m.nheld);
    struct batch *batch = m.held[i];

    if (m.nheld == 0)
        return;
    m.held[i] = m.held[--m.nheld];
    memset(m.told, 0, sizeof(m.told));
    memset(m.asked, 0, sizeof(m.asked));
    m.outcome =
        chance(2) == 0 ? BATCH_COMPLETE : (enum batch_outcome)chance(BATCH_TOOBIG + 1);
    tell_some(batch, m.outcome == BATCH_COMPLETE ? 1 + chance(3) : 4);
    m.answering = true;
    batch_done(batch, m.outcome, m.now);
    m.answering = false;
}

static void
step(void)
{
    static const enum source_state states[] = { SOURCE_UP, SOURCE_UP, SOURCE_UP,
                                                SOURCE_PENDING, SOURCE_DOWN };

    m.now += chance(500);
    switch (chance(16)) {
    case 0:
        if (chance(4) == 0)
            m.state = states[chance(ARRAY_LEN(states))];
        break;
    case 1:
    case 2:
    case 3:
        loader_flush(m.loader);
        break;
    case 4:
    case 5:
        step_answer();
        break;
    default:
        step_want_or_cancel();
        break;
    }
    assert_int_equal(metrics_get(&m.metrics, METRIC_inflight_statements), m.nheld);
}

/* Until all is told: the source is up, or down for good. */
static void
settle(enum source_state state)
{
    m.state = state;
    while (!loader_idle(m.loader) || m.nheld > 0) {
        loader_flush(m.loader);
        step_answer();
    }
}

static unsigned long
people_waiting(void)
{
    unsigned long n = 0;
    size_t i;

    for (i = 0; i < WAITERS; i++)
        n += m.people[i].waits;
    return n;
}

static void
run(uint64_t seed, enum source_state last)
{
    const struct loader_limits limits = { .max_batch = MAX_BATCH };
    size_t i;

    memset(&m, 0, sizeof(m));
    m.seed = seed;
    m.now = USEC_PER_SEC;
    m.source = (struct source){ .ops = &model_ops, .name = "items", .key = "id" };
    m.loader = loader_new(&m.source, &limits, &m.metrics);
    assert_non_null(m.loader);
    for (i = 0; i < FLOWS; i++)
        loader_flow_init(&m.flows[i]);
    for (i = 0; i < STEPS; i++) {
        step();
        assert_int_equal(m.wants, m.answers + m.cancels + people_waiting());
    }
    settle(last);
    assert_int_equal(people_waiting(), 0);
    assert_int_equal(m.wants, m.answers + m.cancels);
    assert_int_equal(metrics_get(&m.metrics, METRIC_queued_ids), 0);
    for (i = 0; i < FLOWS; i++)
        loader_flow_fini(&m.flows[i]);
    loader_free(&m.loader);
}

static void
loader_keeps_its_promises_through_many_random_steps(void **state)
{
    uint64_t seed;
    size_t i;

    (void)state;
    for (seed = 1; seed <= 4; seed++) {
        run(seed * 0x9e3779b97f4a7c15u, seed % 2 == 0 ? SOURCE_UP : SOURCE_DOWN);
        assert_true(m.answers > STEPS / 10 && m.cancels > STEPS / 100);
        for (i = 0; i < ITEM_NSTATUSES; i++) {
            if (i != ITEM_OPEN && i != ITEM_FAIL_UPSTREAM && i != ITEM_FAIL_OVERLOAD &&
                i != ITEM_STALE && i != ITEM_FAIL_STALE)
                assert_true(m.by_status[i] > 0); /* the steps reached all there is */
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader_keeps_its_promises_through_many_random_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
