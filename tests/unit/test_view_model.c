/*
 * test_view_model.c - views beside a model of them, on random days.
 *
 * Each day has a view of its own: some parts, of which some are required, some have a
 * budget and some take their key from another part.  Guests come, parts come, miss, fail
 * or stay away, time passes, patience ends.  After every step the model says who must have
 * heard what, and everybody else must still wait.
 */
#include "tests/unit/view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAYS 3000
#define STEPS 60 /* no more than batches that a source holds: each is for one id */
#define SEATS 4  /* guests at a time: every part of each is a batch of its own */
#define MS USEC_PER_MSEC

/* What the model knows of a part of a guest's item. */
struct model_part {
    enum item_status status; /* ITEM_OPEN: not known */
    usec_t due;              /* when its budget is over; 0: never */
    bool asked;
};

struct seat {
    struct guest *guest; /* NULL: free */
    unsigned id;
    usec_t deadline;
    struct model_part parts[NSHOPS];
};

struct day {
    struct kitchen *k;
    unsigned seed;
    struct seat seats[SEATS];
    unsigned last_id;
};

static unsigned
draw(struct day *d, unsigned n)
{
    d->seed = d->seed * 1103515245u + 12345u;
    return (d->seed >> 16) % n;
}

/* Parts in the order of the shops; part 0 goes by the id, so that there is no circle. */
static void
day_begin(struct day *d)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    unsigned n = 1 + draw(d, NSHOPS), i;
    struct kitchen *k = d->k;

    for (i = 0; i < n; i++) {
        struct config_part *p = kitchen_part(k, names[i], (enum shop)i, draw(d, 2) == 0);

        p->budget_ms = draw(d, 3) == 0 ? 10 + 10 * draw(d, 3) : 0;
        if (i > 0 && draw(d, 3) == 0)
            kitchen_key(k, p, draw(d, i), "key");
    }
    kitchen_open(k, (int)draw(d, n + 1) - 1);
}

/* --- the model -------------------------------------------------------------------------- */

/* Who goes by the id, and who goes by a part that is there by now, is asked; who goes by
 * one that is not shares its fate. */
static void
model_follow(const struct day *d, struct seat *s)
{
    const struct config_view *v = &d->k->view;
    size_t pass, i;

    for (pass = 0; pass < v->nparts; pass++) {
        for (i = 0; i < v->nparts; i++) {
            const struct config_part *p = &v->parts[i];
            enum item_status other = s->parts[p->key_part].status;

            if (s->parts[i].asked || s->parts[i].status != ITEM_OPEN ||
                (p->key_path != NULL && other == ITEM_OPEN))
                continue;
            if (p->key_path != NULL && other != ITEM_FOUND) {
                s->parts[i].status = other;
                continue;
            }
            s->parts[i].asked = true;
            if (p->budget_ms > 0 && d->k->now + p->budget_ms * MS < s->deadline)
                s->parts[i].due = d->k->now + p->budget_ms * MS;
        }
    }
}

static enum item_status
model_judge(const struct day *d, const struct seat *s)
{
    const struct config_view *v = &d->k->view;
    enum item_status failure = ITEM_OPEN, any_failure = ITEM_MISS;
    bool open = false, required_open = false, present = false;
    size_t i;

    for (i = 0; i < v->nparts; i++) {
        enum item_status status = s->parts[i].status;
        bool required = v->parts[i].required == SWITCH_YES;

        if (required && status == ITEM_MISS)
            return ITEM_MISS;
        if (required && item_failed(status) && failure == ITEM_OPEN)
            failure = status;
        if (item_failed(status) && any_failure == ITEM_MISS)
            any_failure = status;
        required_open = required_open || (required && status == ITEM_OPEN);
        open = open || status == ITEM_OPEN;
        present = present || status == ITEM_FOUND;
    }
    if (failure != ITEM_OPEN)
        return failure;
    if (required_open || open)
        return ITEM_OPEN;
    return present ? ITEM_FOUND : any_failure;
}

/* A part is {"key":ID+1000,"of":PART}; each of another key, so nothing is shared. */
static unsigned
key_of(const struct day *d, const struct seat *s, size_t part)
{
    const struct config_part *p = &d->k->view.parts[part];

    return p->key_path == NULL ? s->id
                               : key_of(d, s, p->key_part) + 1000 * (1 + (unsigned)part);
}

static void
part_text(const struct day *d, const struct seat *s, size_t part, char *text, size_t size)
{
    const struct config_view *v = &d->k->view;
    size_t i, n = 0;

    /* One "key" serves all who go by this part. */
    n += (size_t)snprintf(text, size, "{\"of\":%zu", part);
    for (i = 0; i < v->nparts; i++) {
        if (v->parts[i].key_path != NULL && v->parts[i].key_part == part) {
            n += (size_t)snprintf(text + n, size - n, ",\"key\":%u",
                                  key_of(d, s, part) + 1000 * (1 + (unsigned)i));
            break;
        }
    }
    snprintf(text + n, size - n, "}");
}

static void
model_text(const struct day *d, const struct seat *s, char *text, size_t size)
{
    const struct config_view *v = &d->k->view;
    char part[100];
    size_t i, n = 1;

    text[0] = '{';
    text[1] = '\0';
    if (v->merged < v->nparts && s->parts[v->merged].status == ITEM_FOUND) {
        part_text(d, s, v->merged, part, sizeof(part));
        n = (size_t)snprintf(text, size, "%.*s", (int)strlen(part) - 1, part);
    }
    for (i = 0; i < v->nparts; i++) {
        if (i == v->merged || s->parts[i].status != ITEM_FOUND)
            continue;
        part_text(d, s, i, part, sizeof(part));
        n += (size_t)snprintf(text + n, size - n, "%s\"%s\":%s", n > 1 ? "," : "",
                              v->parts[i].name, part);
    }
    snprintf(text + n, size - n, "}");
}

/* --- the comparison ------------------------------------------------------------------------- */

static void
seat_check(struct day *d, struct seat *s)
{
    enum item_status expected;
    char text[400];

    if (s->guest == NULL)
        return;
    expected = model_judge(d, s);
    if (expected == ITEM_OPEN) {
        assert_waits(s->guest);
        return;
    }
    assert_guest(s->guest, expected);
    model_text(d, s, text, sizeof(text));
    if (expected == ITEM_FOUND)
        assert_string_equal(s->guest->json, text);
    s->guest = NULL;
}

static void
day_check(struct day *d)
{
    size_t i;

    kitchen_turn(d->k);
    for (i = 0; i < SEATS; i++) {
        if (d->seats[i].guest != NULL)
            model_follow(d, &d->seats[i]);
        seat_check(d, &d->seats[i]);
    }
}

/* --- what happens ------------------------------------------------------------------------------ */

static void
step_arrive(struct day *d, struct seat *s)
{
    char id[16];

    memset(s, 0, sizeof(*s));
    s->id = ++d->last_id;
    s->deadline = d->k->now + 100 * MS; /* as the fixture has it */
    snprintf(id, sizeof(id), "%u", s->id);
    s->guest = kitchen_order(d->k, id);
    model_follow(d, s);
}

/* A batch of this part's source that holds its key ends, one way or another. */
static void
step_answer(struct day *d, struct seat *s, size_t part)
{
    static const enum item_status fates[] = { ITEM_FOUND, ITEM_FOUND, ITEM_MISS,
                                              ITEM_FAIL_UPSTREAM, ITEM_FAIL_TOOBIG };
    enum item_status fate = fates[draw(d, 5)];
    struct larder *l = &d->k->larders[part];
    struct batch *wanted;
    char id[16], text[100];
    size_t i;

    snprintf(id, sizeof(id), "%u", key_of(d, s, part));
    for (i = 0; i < l->nheld && batch_find(l->held[i], span_str(id)) < 0; i++)
        ;
    if (i == l->nheld)
        return;
    wanted = l->held[i]; /* to the front: the fixture serves the oldest */
    memmove(&l->held[1], &l->held[0], i * sizeof(l->held[0]));
    l->held[0] = wanted;
    part_text(d, s, part, text, sizeof(text));
    if (fate == ITEM_FOUND)
        kitchen_serve(d->k, (enum shop)part, id, text);
    else if (fate != ITEM_MISS)
        kitchen_spoil(d->k, (enum shop)part, id, fate);
    kitchen_done(d->k, (enum shop)part, BATCH_COMPLETE);
    if (s->parts[part].asked && s->parts[part].status == ITEM_OPEN)
        s->parts[part].status = fate;
}

static void
step_time(struct day *d)
{
    size_t i, part;

    d->k->now += (1 + draw(d, 15)) * MS;
    views_expire(d->k->views, d->k->now);
    for (i = 0; i < SEATS; i++) {
        for (part = 0; part < d->k->view.nparts; part++) {
            struct model_part *p = &d->seats[i].parts[part];

            if (p->status == ITEM_OPEN && p->due != 0 && p->due <= d->k->now)
                p->status = ITEM_FAIL_TIMEOUT;
        }
    }
}

static void
step_patience(struct day *d, struct seat *s)
{
    size_t part;

    for (part = 0; part < d->k->view.nparts; part++) {
        if (s->parts[part].status == ITEM_OPEN)
            s->parts[part].status = ITEM_FAIL_TIMEOUT;
    }
    view_item_expire(s->guest->item);
}

static void
day_step(struct day *d)
{
    struct seat *s = &d->seats[draw(d, SEATS)];

    switch (draw(d, 8)) {
    case 0:
        step_time(d);
        break;
    case 1:
        if (s->guest != NULL && draw(d, 3) == 0)
            step_patience(d, s);
        break;
    case 2:
        if (s->guest != NULL && draw(d, 3) == 0) {
            view_item_free(&s->guest->item);
            s->guest = NULL;
        }
        break;
    default:
        if (s->guest == NULL)
            step_arrive(d, s);
        else
            step_answer(d, s, draw(d, (unsigned)d->k->view.nparts));
        break;
    }
    day_check(d);
}

static void
views_do_what_the_model_says(void **state)
{
    unsigned number, step;

    (void)state;
    for (number = 1; number <= DAYS; number++) {
        struct day d = { .seed = number * 2654435761u };
        void *kitchen = NULL;

        assert_int_equal(kitchen_setup(&kitchen), 0);
        d.k = kitchen;
        day_begin(&d);
        for (step = 0; step < STEPS; step++)
            day_step(&d);
        assert_int_equal(kitchen_teardown(&kitchen), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_do_what_the_model_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
