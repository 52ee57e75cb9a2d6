/*
 * test_view_answer.c - what an item is in the end, and what is said of what it lacks.
 */
#include "tests/unit/view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
a_required_part_that_misses_makes_a_miss_at_once(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "7");

    kitchen_turn(k);
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_guest(g, ITEM_MISS);
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_parts_absent), 0);
}

static void
a_required_part_that_fails_makes_a_failure_with_its_code(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *toobig = kitchen_order(k, "7"), *down = kitchen_order(k, "8");

    kitchen_turn(k);
    kitchen_spoil(k, ITEMS, "7", ITEM_FAIL_TOOBIG);
    kitchen_done(k, ITEMS, BATCH_FAILED);
    kitchen_turn(k);
    assert_guest(toobig, ITEM_FAIL_TOOBIG);
    assert_guest(down, ITEM_FAIL_UPSTREAM);
    k->larders[ITEMS].state = SOURCE_DOWN;
    down = kitchen_order(k, "9");
    kitchen_turn(k);
    assert_guest(down, ITEM_FAIL_UPSTREAM);
}

static void
of_two_required_parts_a_miss_counts_before_a_failure(void **state)
{
    struct kitchen *k = *state;
    struct guest *g;

    kitchen_part(k, "stock", STOCK, true);
    kitchen_part(k, "base", ITEMS, true);
    kitchen_open(k, 1);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    kitchen_done(k, STOCK, BATCH_FAILED);
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_guest(g, ITEM_MISS);
}

static void
at_the_deadline_an_item_is_what_is_there(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *whole = kitchen_order(k, "7"), *nothing = kitchen_order(k, "8");

    kitchen_turn(k);
    kitchen_serve(k, ITEMS, "7", "{\"id\":7}");
    kitchen_spoil(k, ITEMS, "8", ITEM_FAIL_DATABASE);
    kitchen_serve(k, PRICE, "7", "{\"eur\":1}");
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    view_item_expire(nothing->item);
    assert_guest(nothing, ITEM_FAIL_TIMEOUT);
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_waits(whole);
    view_item_expire(whole->item);
    assert_item(whole, "{\"id\":7,\"price\":{\"eur\":1}}");
    assert_string_equal(whole->missing, "stock:timeout");
    assert_int_equal(whole->lacks, 1);
    kitchen_turn(k);
}

static void
the_time_may_be_up_before_the_turn_is(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "7");

    kitchen_turn(k);
    kitchen_serve(k, ITEMS, "7", "{\"id\":7}");
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    view_item_expire(g->item);
    assert_item(g, "{\"id\":7}");
    kitchen_turn(k);
    assert_int_equal(g->times, 1);
}

static void
the_merged_part_alone_is_not_copied(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *first = kitchen_order(k, "7"), *second = kitchen_order(k, "7");

    kitchen_turn(k);
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    assert_item(first, "{\"id\":7}");
    assert_ptr_equal(first->bytes, second->bytes);
}

static void
a_member_of_a_parts_name_gives_way(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *with, *without;

    k->larders[ITEMS].fields = "id stock";
    with = kitchen_order(k, "7");
    without = kitchen_order(k, "8");
    kitchen_turn(k);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_serve(k, STOCK, "7", "{}");
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_serve(k, ITEMS, "7", "{\"id\":7,\"stock\":1}");
    kitchen_deliver(k, ITEMS, "8", "{\"id\":8,\"stock\":2}");
    assert_item(with, "{\"id\":7,\"stock\":{}}");
    assert_item(without, "{\"id\":8}");
}

static void
an_item_over_the_limit_is_too_big(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "7");

    k->config.item_max_bytes = 30;
    kitchen_turn(k);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    kitchen_deliver(k, STOCK, "7", "{\"quantity\":12345}");
    assert_guest(g, ITEM_FAIL_TOOBIG);
}

static void
without_a_required_part_one_must_be_there(void **state)
{
    struct kitchen *k = *state;
    struct guest *none, *failed, *some;

    kitchen_part(k, "stock", STOCK, false);
    kitchen_part(k, "price", PRICE, false);
    kitchen_open(k, -1);
    none = kitchen_order(k, "7");
    failed = kitchen_order(k, "8");
    some = kitchen_order(k, "9");
    kitchen_turn(k);
    kitchen_spoil(k, PRICE, "8", ITEM_FAIL_UPSTREAM);
    kitchen_spoil(k, PRICE, "9", ITEM_FAIL_UPSTREAM);
    kitchen_serve(k, STOCK, "9", "{\"n\":0}");
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_guest(none, ITEM_MISS);
    assert_guest(failed, ITEM_FAIL_UPSTREAM);
    assert_item(some, "{\"stock\":{\"n\":0}}");
}

static void
thousands_of_items_share_packs_that_never_move(void **state)
{
    struct kitchen *k = *state;
    char json[600], id[16];
    size_t i;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false);
    kitchen_open(k, 0);
    for (i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        kitchen_order(k, id);
    }
    kitchen_turn(k);
    for (i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        snprintf(json, sizeof(json), "{\"id\":%zu,\"text\":\"%0300d\"}", i, 0);
        kitchen_serve(k, ITEMS, id, json);
        kitchen_serve(k, STOCK, id, "{}");
    }
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    for (i = 0; i < 2000; i++) {
        snprintf(json, sizeof(json), "{\"id\":%zu,\"text\":\"%0300d\",\"stock\":{}}", i,
                 0);
        assert_item(&k->guests[i], json);
    }
}

static void
parts_that_are_missing_or_failed_are_left_out_and_named(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "7");

    kitchen_turn(k);
    kitchen_spoil(k, PRICE, "7", ITEM_FAIL_UPSTREAM);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    assert_item(g, "{\"id\":7}");
    assert_int_equal(g->lacks, 1);
    assert_string_equal(g->missing, "stock:miss,price:upstream");
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_parts_absent), 1);
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_parts_failed), 1);
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_partial), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kitchen_setup, kitchen_teardown)
        TEST(a_required_part_that_misses_makes_a_miss_at_once),
        TEST(a_required_part_that_fails_makes_a_failure_with_its_code),
        TEST(of_two_required_parts_a_miss_counts_before_a_failure),
        TEST(at_the_deadline_an_item_is_what_is_there),
        TEST(the_time_may_be_up_before_the_turn_is),
        TEST(the_merged_part_alone_is_not_copied),
        TEST(a_member_of_a_parts_name_gives_way),
        TEST(an_item_over_the_limit_is_too_big),
        TEST(without_a_required_part_one_must_be_there),
        TEST(thousands_of_items_share_packs_that_never_move),
        TEST(parts_that_are_missing_or_failed_are_left_out_and_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
