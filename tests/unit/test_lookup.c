/*
 * test_lookup.c - how old may an item be, over a real cache and made-up times.
 */
#include "server/source/lookup.h"

#include "server/source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define T (1000 * USEC_PER_SEC) /* when everything here was asked for */
#define MS USEC_PER_MSEC

struct shelf {
    struct cache *cache;
    struct source source;
    struct lookup lookup;
};

static int
set_up(void **state)
{
    struct shelf *s = calloc(1, sizeof(*s));
    const struct lookup_policy policy = {
        .fresh = 1000 * MS,
        .negative = 100 * MS,
        .stale = 500 * MS,
        .stale_if_error = 9000 * MS,
    };

    if (s == NULL || (s->cache = cache_new(CACHE_BYTES_MIN, 4)) == NULL)
        return -1;
    cache_join(s->cache, 0);
    s->source = (struct source){ .name = "items", .fingerprint = 7, .form = 70 };
    lookup_init(&s->lookup, s->cache, &s->source, &policy);
    *state = s;
    return 0;
}

static int
tear_down(void **state)
{
    struct shelf *s = *state;

    cache_free(&s->cache);
    free(s);
    return 0;
}

static void
keep(struct shelf *s, const char *id, const char *json)
{
    struct cache_key key;

    lookup_key(&s->lookup, span_str(id), &key);
    if (json != NULL)
        assert_int_equal(lookup_keep(&s->lookup, &key, T, span_str(json)), LEASE_STORED);
    else
        assert_int_equal(lookup_keep_absent(&s->lookup, &key, T), LEASE_ABSENT);
}

/* What is said of 'id' when it is 'age' old, to somebody who takes at most 'max_age'. */
static enum lookup_verdict
look(struct shelf *s, const char *id, usec_t age, usec_t max_age)
{
    struct buf out = BUF_INIT;
    enum lookup_verdict verdict;
    struct lookup_item item = { .with_marks = true };
    struct cache_key key;

    lookup_key(&s->lookup, span_str(id), &key);
    buf_append(&out, "before", 6);
    verdict = lookup_get(&s->lookup, &key, max_age, T + age, &out, &item);
    if (verdict == LOOKUP_FRESH || verdict == LOOKUP_STALE) {
        assert_int_equal(item.age, age);
        assert_int_equal(item.len + item.nmarks, buf_size(&out) - 6);
    } else {
        assert_int_equal(buf_size(&out), 6); /* what may not be shown is not left there */
    }
    buf_fini(&out);
    return verdict;
}

static enum lookup_verdict
rescue(struct shelf *s, const char *id, usec_t age, usec_t max_age)
{
    struct buf out = BUF_INIT;
    enum lookup_verdict verdict;
    struct lookup_item item = { .with_marks = false };
    struct cache_key key;

    lookup_key(&s->lookup, span_str(id), &key);
    verdict = lookup_fallback(&s->lookup, &key, max_age, T + age, &out, &item);
    assert_int_equal(buf_size(&out) > 0, verdict == LOOKUP_STALE);
    buf_fini(&out);
    return verdict;
}

static void
an_item_is_fresh_then_stale_then_not_shown(void **state)
{
    struct shelf *s = *state;

    assert_int_equal(look(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    keep(s, "7", "{\"id\":7}");
    assert_int_equal(look(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_FRESH);
    assert_int_equal(look(s, "7", 1000 * MS, LOOKUP_ANY_AGE), LOOKUP_FRESH);
    assert_int_equal(look(s, "7", 1000 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_STALE);
    assert_int_equal(look(s, "7", 1500 * MS, LOOKUP_ANY_AGE), LOOKUP_STALE);
    assert_int_equal(look(s, "7", 1500 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    s->lookup.policy.stale = 0;
    assert_int_equal(look(s, "7", 1000 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
}

static void
marks_come_with_an_item_for_who_wants_them(void **state)
{
    struct span json = SPAN("{\"id\":7,\"name\":\"a,b\",\"in\":{\"x\":[1,2]}}");
    struct lookup_item item = { .with_marks = true };
    struct shelf *s = *state;
    struct buf out = BUF_INIT;
    struct cache_key key;

    keep(s, "7", json.p);
    lookup_key(&s->lookup, SPAN("7"), &key);
    assert_int_equal(lookup_get(&s->lookup, &key, LOOKUP_ANY_AGE, T, &out, &item),
                     LOOKUP_FRESH);
    assert_int_equal(item.len, json.n);
    assert_int_equal(item.nmarks, 3);
    assert_memory_equal(out.data, json.p, json.n);
    assert_memory_equal(out.data + json.n, "\x06\x0c\x10", 3);
    buf_clear(&out);
    assert_int_equal(lookup_fallback(&s->lookup, &key, LOOKUP_ANY_AGE, T, &out, &item),
                     LOOKUP_STALE);
    assert_int_equal(item.nmarks, 3);
    assert_int_equal(buf_size(&out), json.n + 3);
    buf_clear(&out);
    item.with_marks = false;
    assert_int_equal(lookup_get(&s->lookup, &key, LOOKUP_ANY_AGE, T, &out, &item),
                     LOOKUP_FRESH);
    assert_int_equal(item.nmarks, 0);
    assert_true(span_equal(buf_span(&out), json));
    buf_fini(&out);
}

static void
a_request_lowers_the_bound_and_never_raises_it(void **state)
{
    struct shelf *s = *state;

    keep(s, "7", "{}");
    assert_int_equal(look(s, "7", 100 * MS, 100 * MS), LOOKUP_FRESH);
    assert_int_equal(look(s, "7", 100 * MS + 1, 100 * MS), LOOKUP_NOTHING);
    assert_int_equal(look(s, "7", 1200 * MS, 1100 * MS), LOOKUP_NOTHING);
    assert_int_equal(look(s, "7", 1200 * MS, 1300 * MS), LOOKUP_STALE);
    assert_int_equal(look(s, "7", 5000 * MS, 60000 * MS), LOOKUP_NOTHING);
}

static void
absence_has_a_bound_of_its_own_and_fresh_bounds_that(void **state)
{
    struct shelf *s = *state;

    keep(s, "8", NULL);
    assert_int_equal(look(s, "8", 100 * MS, LOOKUP_ANY_AGE), LOOKUP_ABSENT);
    assert_int_equal(look(s, "8", 100 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    assert_int_equal(look(s, "8", 50 * MS, 40 * MS), LOOKUP_NOTHING);
    s->lookup.policy.negative = 5000 * MS;
    assert_int_equal(look(s, "8", 1000 * MS, LOOKUP_ANY_AGE), LOOKUP_ABSENT);
    assert_int_equal(look(s, "8", 1000 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    assert_int_equal(rescue(s, "8", 2000 * MS, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
}

static void
a_failure_is_stood_in_for_as_long_as_the_policy_says(void **state)
{
    struct shelf *s = *state;

    keep(s, "7", "{}");
    assert_true(lookup_rescues(&s->lookup));
    assert_int_equal(rescue(s, "7", 10000 * MS, LOOKUP_ANY_AGE), LOOKUP_STALE);
    assert_int_equal(rescue(s, "7", 10000 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    assert_int_equal(rescue(s, "7", 3000 * MS, 2000 * MS), LOOKUP_TOO_OLD);
    assert_int_equal(rescue(s, "9", 0, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    s->lookup.policy.stale_if_error = 0;
    assert_int_equal(rescue(s, "7", 1500 * MS, LOOKUP_ANY_AGE), LOOKUP_STALE);
    assert_int_equal(rescue(s, "7", 1500 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    s->lookup.policy.stale = 0;
    assert_false(lookup_rescues(&s->lookup));
}

static void
jitter_shortens_each_by_another_share_and_none_by_more(void **state)
{
    struct shelf *s = *state;
    size_t early = 0, i;
    char id[8];

    s->lookup.policy.jitter_percent = 20;
    s->lookup.policy.stale = 0;
    for (i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        keep(s, id, "{}");
        assert_int_equal(look(s, id, 799 * MS, LOOKUP_ANY_AGE), LOOKUP_FRESH);
        early += look(s, id, 900 * MS, LOOKUP_ANY_AGE) == LOOKUP_NOTHING;
        assert_int_equal(look(s, id, 1000 * MS + 1, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    }
    assert_in_range(early, 60, 140);
}

static void
items_of_another_form_or_definition_are_not_shown(void **state)
{
    struct shelf *s = *state;

    keep(s, "7", "{}");
    s->source.form = 71; /* a result had other columns */
    assert_int_equal(look(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    s->source.form = 0; /* a new worker that saw none yet believes the others */
    assert_int_equal(look(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_FRESH);
    s->source.fingerprint = 8;
    assert_int_equal(look(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    s->source.fingerprint = 0;
    assert_false(lookup_on(&s->lookup));
}

static void
what_was_forgotten_is_not_shown_and_not_joined(void **state)
{
    struct shelf *s = *state;
    struct cache_key key;

    keep(s, "7", "{}");
    assert_true(lookup_may_join(&s->lookup, SPAN("7"), T));
    lookup_key(&s->lookup, SPAN("7"), &key);
    assert_true(cache_invalidate(s->cache, &key, T));
    assert_int_equal(look(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    assert_int_equal(rescue(s, "7", 0, LOOKUP_ANY_AGE), LOOKUP_NOTHING);
    assert_false(lookup_may_join(&s->lookup, SPAN("7"), T));
    assert_true(lookup_may_join(&s->lookup, SPAN("7"), T + 1));
    assert_int_equal(lookup_keep(&s->lookup, &key, T, SPAN("{}")), LEASE_NOT_STORED);
    assert_int_equal(lookup_keep_absent(&s->lookup, &key, T), LEASE_NOT_STORED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_item_is_fresh_then_stale_then_not_shown),
        TEST(marks_come_with_an_item_for_who_wants_them),
        TEST(a_request_lowers_the_bound_and_never_raises_it),
        TEST(absence_has_a_bound_of_its_own_and_fresh_bounds_that),
        TEST(a_failure_is_stood_in_for_as_long_as_the_policy_says),
        TEST(jitter_shortens_each_by_another_share_and_none_by_more),
        TEST(items_of_another_form_or_definition_are_not_shown),
        TEST(what_was_forgotten_is_not_shown_and_not_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
