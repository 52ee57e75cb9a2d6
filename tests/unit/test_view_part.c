/*
 * test_view_part.c - parts that the cache knows, and old copies that stand in.
 */
#include "tests/unit/view_fixture.h"

#include "server/cache/cache.h"
#include "server/source/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS USEC_PER_MSEC

static const struct lookup_policy strict = { .fresh = USEC_PER_SEC,
                                             .negative = USEC_PER_SEC };
static const struct lookup_policy patient = { .fresh = USEC_PER_SEC,
                                              .stale_if_error = 100 * USEC_PER_SEC };
static const struct lookup_policy easy = { .fresh = USEC_PER_SEC,
                                           .stale = 100 * USEC_PER_SEC };

static struct kitchen *
product(void **state, const struct lookup_policy *policy)
{
    struct kitchen *k = kitchen_product(state);

    kitchen_keep(k, policy);
    return k;
}

static void
what_the_cache_knows_is_not_asked_for(void **state)
{
    struct kitchen *k = product(state, &strict);
    struct guest *g;

    kitchen_stock(k, ITEMS, "7", "{\"id\":7}", 500 * MS);
    kitchen_stock(k, STOCK, "7", "{\"n\":1}", 500 * MS);
    kitchen_stock(k, PRICE, "7", NULL, 500 * MS);
    g = kitchen_order(k, "007");
    kitchen_turn(k);
    assert_item(g, "{\"id\":7,\"stock\":{\"n\":1}}");
    assert_string_equal(g->missing, "price:miss");
    assert_int_equal(g->waiter.origin, ITEM_FROM_CACHE);
    assert_int_equal(k->larders[ITEMS].ids_asked, 0);
    assert_int_equal(metrics_get(&k->metrics, METRIC_cache_hits), 2);
    assert_int_equal(metrics_get(&k->metrics, METRIC_cache_negative), 1);
}

static void
what_is_too_old_is_asked_for(void **state)
{
    struct kitchen *k = product(state, &strict);
    struct guest *g;

    kitchen_stock(k, ITEMS, "7", "{\"old\":7}", 1100 * MS);
    kitchen_stock(k, STOCK, "7", NULL, 10 * MS);
    kitchen_stock(k, PRICE, "7", NULL, 10 * MS);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    assert_waits(g);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    assert_item(g, "{\"id\":7}");
    assert_int_equal(g->waiter.origin, ITEM_FROM_SOURCE);
}

static void
keys_come_out_of_what_the_cache_knows(void **state)
{
    struct kitchen *k = *state;
    struct guest *g;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_key(k, kitchen_part(k, "vendor", VENDORS, false), 0, "v");
    kitchen_open(k, 0);
    kitchen_keep(k, &strict);
    kitchen_stock(k, ITEMS, "7", "{\"v\":3}", 0);
    kitchen_stock(k, VENDORS, "3", "{\"name\":\"A\"}", 0);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    assert_item(g, "{\"v\":3,\"vendor\":{\"name\":\"A\"}}");
}

static void
a_stale_part_makes_the_item_stale_and_is_fetched_behind(void **state)
{
    struct kitchen *k = product(state, &easy);
    struct guest *g;

    kitchen_stock(k, ITEMS, "7", "{\"id\":7}", 10 * MS);
    kitchen_stock(k, STOCK, "7", "{\"n\":1}", 3000 * MS);
    kitchen_stock(k, PRICE, "7", "{\"p\":1}", 2000 * MS);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    assert_guest(g, ITEM_STALE);
    assert_string_equal(g->json, "{\"id\":7,\"stock\":{\"n\":1},\"price\":{\"p\":1}}");
    assert_int_equal(g->waiter.age_ms, 3000);
    assert_int_equal(g->waiter.origin, ITEM_FROM_STALE);
    assert_string_equal(kitchen_asked(k, STOCK), "7");
    assert_string_equal(kitchen_asked(k, PRICE), "7");
    assert_string_equal(kitchen_asked(k, ITEMS), "");
}

static void
an_old_copy_stands_in_for_a_source_that_fails(void **state)
{
    struct kitchen *k = product(state, &patient);
    struct guest *g;

    kitchen_stock(k, STOCK, "7", "{\"n\":1}", 5000 * MS);
    kitchen_stock(k, PRICE, "7", "{\"p\":1}", 5000 * MS);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    kitchen_done(k, STOCK, BATCH_FAILED);
    kitchen_spoil(k, PRICE, "7", ITEM_FAIL_TOOBIG); /* no moment would mend that */
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    assert_guest(g, ITEM_STALE);
    assert_string_equal(g->json, "{\"id\":7,\"stock\":{\"n\":1}}");
    assert_string_equal(g->missing, "price:toobig");
    assert_int_equal(metrics_get(&k->metrics, METRIC_cache_rescues), 1);
}

static void
an_old_copy_stands_in_for_what_is_late(void **state)
{
    struct kitchen *k = *state;
    struct guest *budget, *deadline;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false)->budget_ms = 20;
    kitchen_open(k, 0);
    kitchen_keep(k, &patient);
    kitchen_stock(k, ITEMS, "7", "{\"id\":7}", 0);
    kitchen_stock(k, ITEMS, "8", "{\"id\":8}", 5000 * MS);
    kitchen_stock(k, STOCK, "7", "{\"n\":1}", 5000 * MS);
    budget = kitchen_order(k, "7");
    deadline = kitchen_order(k, "8");
    kitchen_turn(k);
    assert_waits(budget);
    k->now += 20 * MS;
    views_expire(k->views, k->now);
    kitchen_turn(k);
    assert_guest(budget, ITEM_STALE);
    assert_string_equal(budget->json, "{\"id\":7,\"stock\":{\"n\":1}}");
    assert_waits(deadline);
    view_item_expire(deadline->item);
    assert_guest(deadline, ITEM_STALE);
    assert_string_equal(deadline->json, "{\"id\":8}");
}

static void
a_copy_older_than_the_request_allows_is_no_help(void **state)
{
    struct kitchen *k = product(state, &patient);
    struct guest *g;

    kitchen_stock(k, ITEMS, "7", "{\"id\":7}", 5000 * MS);
    k->max_age = 4000 * MS;
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    kitchen_done(k, ITEMS, BATCH_FAILED);
    kitchen_turn(k);
    assert_guest(g, ITEM_FAIL_STALE);
}

static void
bytes_that_were_handed_on_stay_where_they_are(void **state)
{
    struct kitchen *k = *state;
    struct guest *first;
    size_t i;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_open(k, 0);
    kitchen_keep(k, &strict);
    kitchen_stock(k, ITEMS, "7", "{\"id\":7}", 0);
    first = kitchen_order(k, "7");
    first->hold = true;
    /* its time is up in the middle of a turn, and others are looked up behind it */
    view_item_expire(first->item);
    assert_item(first, "{\"id\":7}");
    for (i = 0; i < 2000; i++)
        kitchen_order(k, "7");
    assert_memory_equal(first->bytes, "{\"id\":7}", 8);
    kitchen_turn(k);
    assert_memory_equal(first->bytes, "{\"id\":7}", 8);
    assert_item(&k->guests[2000], "{\"id\":7}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kitchen_setup, kitchen_teardown)
        TEST(what_the_cache_knows_is_not_asked_for),
        TEST(what_is_too_old_is_asked_for),
        TEST(keys_come_out_of_what_the_cache_knows),
        TEST(a_stale_part_makes_the_item_stale_and_is_fetched_behind),
        TEST(an_old_copy_stands_in_for_a_source_that_fails),
        TEST(an_old_copy_stands_in_for_what_is_late),
        TEST(a_copy_older_than_the_request_allows_is_no_help),
        TEST(bytes_that_were_handed_on_stay_where_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
