/*
 * test_view.c - what becomes of an item whose parts come, miss, fail or stay away.
 */
#include "tests/unit/view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS USEC_PER_MSEC

static void
the_merged_part_stands_at_the_top_and_others_under_their_names(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "007");

    kitchen_turn(k);
    assert_string_equal(kitchen_asked(k, ITEMS), "7");
    assert_string_equal(kitchen_asked(k, PRICE), "7");
    kitchen_deliver(k, PRICE, "7", "{\"eur\":12.50}");
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7,\"big\":9007199254740993}");
    assert_waits(g);
    kitchen_deliver(k, STOCK, "7", "{\"n\":1e400}");
    assert_item(g, "{\"id\":7,\"big\":9007199254740993,\"stock\":{\"n\":1e400},"
                   "\"price\":{\"eur\":12.50}}");
    assert_int_equal(g->lacks, 0);
    assert_string_equal(g->missing, "");
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_items), 1);
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_partial), 0);
}

static void
nobody_hears_before_the_end_of_the_turn(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "7"), *bad = kitchen_order(k, "x");

    assert_waits(bad);
    kitchen_turn(k);
    assert_guest(bad, ITEM_FAIL_BADID);
    kitchen_serve(k, ITEMS, "7", "{}");
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    assert_waits(g);
    kitchen_turn(k);
    assert_item(g, "{}");
}

static void
an_optional_source_that_is_down_costs_nothing(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "7");

    k->larders[STOCK].state = k->larders[PRICE].state = SOURCE_DOWN;
    kitchen_turn(k);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    assert_item(g, "{\"id\":7}");
    assert_string_equal(g->missing, "stock:upstream,price:upstream");
}

static void
a_part_is_left_out_when_its_budget_is_over(void **state)
{
    struct kitchen *k = *state;
    struct guest *first, *second;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false)->budget_ms = 20;
    kitchen_open(k, 0);
    assert_int_equal(views_due(k->views), 0);
    first = kitchen_order(k, "7");
    k->now += 5 * MS;
    second = kitchen_order(k, "8");
    kitchen_turn(k);
    kitchen_serve(k, ITEMS, "7", "{\"id\":7}");
    kitchen_serve(k, ITEMS, "8", "{\"id\":8}");
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_waits(first);
    assert_int_equal(views_due(k->views), k->now + 15 * MS);
    k->now += 15 * MS - 1;
    views_expire(k->views, k->now);
    kitchen_turn(k);
    assert_waits(first);
    k->now += 1;
    views_expire(k->views, k->now);
    kitchen_turn(k);
    assert_item(first, "{\"id\":7}");
    assert_string_equal(first->missing, "stock:timeout");
    assert_waits(second);
    assert_int_equal(views_due(k->views), k->now + 5 * MS);
    kitchen_serve(k, STOCK, "8", "{\"n\":3}");
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_item(second, "{\"id\":8,\"stock\":{\"n\":3}}");
    assert_int_equal(metrics_get(&k->metrics, METRIC_view_parts_late), 1);
}

static void
a_required_part_out_of_its_budget_is_a_timeout(void **state)
{
    struct kitchen *k = *state;
    struct guest *g;

    kitchen_part(k, "base", ITEMS, true)->budget_ms = 20;
    kitchen_open(k, 0);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    k->now += 20 * MS;
    views_expire(k->views, k->now);
    kitchen_turn(k);
    assert_guest(g, ITEM_FAIL_TIMEOUT);
}

static void
what_comes_after_its_budget_comes_too_late(void **state)
{
    struct kitchen *k = *state;
    struct guest *g;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false)->budget_ms = 30;
    kitchen_part(k, "price", PRICE, false)->budget_ms = 20;
    kitchen_open(k, 0);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    assert_int_equal(views_due(k->views), k->now + 20 * MS);
    k->now += 20 * MS;
    views_expire(k->views, k->now);
    kitchen_turn(k);
    assert_int_equal(views_due(k->views), k->now + 10 * MS);
    kitchen_deliver(k, PRICE, "7", "{\"eur\":1}");
    assert_waits(g);
    kitchen_deliver(k, STOCK, "7", "{\"n\":1}");
    kitchen_deliver(k, ITEMS, "7", "{}");
    assert_item(g, "{\"stock\":{\"n\":1}}");
    assert_string_equal(g->missing, "price:timeout");
}

static void
a_budget_beyond_the_deadline_needs_no_timer(void **state)
{
    struct kitchen *k = *state;

    kitchen_part(k, "base", ITEMS, true)->budget_ms = 100;
    kitchen_open(k, 0);
    kitchen_order(k, "7");
    assert_int_equal(views_due(k->views), 0);
}

static void
one_slow_id_does_not_hold_up_the_others(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *slow = kitchen_order(k, "7"), *quick;

    kitchen_turn(k);
    quick = kitchen_order(k, "8");
    kitchen_turn(k);
    /* the second batch of each comes back first */
    kitchen_serve(k, ITEMS, "7", "{\"id\":7}");
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_deliver(k, ITEMS, "8", "{\"id\":8}");
    batch_done(k->larders[STOCK].held[1], BATCH_COMPLETE, k->now);
    batch_done(k->larders[PRICE].held[1], BATCH_COMPLETE, k->now);
    k->larders[STOCK].nheld = k->larders[PRICE].nheld = 1;
    kitchen_turn(k);
    assert_item(quick, "{\"id\":8}");
    assert_waits(slow);
}

static void
a_part_is_asked_once_for_everybody(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *first = kitchen_order(k, "7"), *second = kitchen_order(k, "07");

    kitchen_turn(k);
    assert_int_equal(k->larders[ITEMS].ids_asked, 1);
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7}");
    assert_item(first, "{\"id\":7}");
    assert_item(second, "{\"id\":7}");
}

static void
a_freed_item_hears_nothing_and_asks_no_more(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *queued = kitchen_order(k, "7"), *sent;

    view_item_free(&queued->item);
    kitchen_turn(k);
    assert_int_equal(k->larders[ITEMS].ids_asked, 0);
    sent = kitchen_order(k, "8");
    kitchen_turn(k);
    kitchen_serve(k, ITEMS, "8", "{}");
    view_item_free(&sent->item);
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_int_equal(queued->times + sent->times, 0);
}

static void
only_parts_that_will_be_shown_are_asked(void **state)
{
    const struct span title = SPAN("title"), amount = SPAN("price.eur");
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order_fields(k, "7", &title, 1);

    kitchen_turn(k);
    assert_int_equal(k->larders[STOCK].ids_asked + k->larders[PRICE].ids_asked, 0);
    kitchen_deliver(k, ITEMS, "7", "{\"title\":1}");
    assert_item(g, "{\"title\":1}");
    assert_string_equal(g->missing, "");
    g = kitchen_order_fields(k, "8", &amount, 1);
    kitchen_turn(k);
    assert_int_equal(k->larders[STOCK].ids_asked, 0);
    assert_string_equal(kitchen_asked(k, PRICE), "8");
    assert_string_equal(kitchen_asked(k, ITEMS), "8"); /* it is required */
}

static void
without_a_required_part_each_may_tell_whether_there_is_an_item(void **state)
{
    const struct span amount = SPAN("price.eur"), nothing = SPAN("nosuch");
    struct kitchen *k = *state;
    struct guest *first, *second;

    kitchen_part(k, "stock", STOCK, false);
    kitchen_part(k, "price", PRICE, false);
    kitchen_open(k, -1);
    first = kitchen_order_fields(k, "7", &amount, 1);
    second = kitchen_order_fields(k, "8", &nothing, 1);
    kitchen_turn(k);
    kitchen_done(k, PRICE, BATCH_COMPLETE);
    kitchen_deliver(k, STOCK, "7", "{\"n\":1}");
    assert_item(first, "{\"stock\":{\"n\":1}}");
    assert_guest(second, ITEM_MISS);
}

static void
an_id_is_judged_by_each_part(void **state)
{
    struct kitchen *k = kitchen_product(state);
    struct guest *g = kitchen_order(k, "abc"), *far;

    kitchen_turn(k);
    assert_guest(g, ITEM_FAIL_BADID);
    k->larders[ITEMS].any_text = true;
    g = kitchen_order(k, "abc");
    far = kitchen_order(k, "12345678901");
    kitchen_turn(k);
    assert_int_equal(k->larders[STOCK].ids_asked, 0);
    kitchen_serve(k, ITEMS, "abc", "{\"a\":1}");
    kitchen_deliver(k, ITEMS, "12345678901", "{\"b\":1}");
    assert_item(g, "{\"a\":1}");
    assert_string_equal(g->missing, "stock:badid,price:badid");
    assert_item(far, "{\"b\":1}");
    assert_string_equal(far->missing, "stock:miss,price:miss");
}

static void
a_view_knows_the_fields_of_its_parts(void **state)
{
    struct kitchen *k = kitchen_product(state);
    const struct source *s = views_source(k->views, 0);
    struct buf text = BUF_INIT;

    k->larders[ITEMS].fields = "id title";
    k->larders[STOCK].fields = "quantity";
    assert_true(s->ops->has_field(s, SPAN("title")));
    assert_true(s->ops->has_field(s, SPAN("stock")));
    assert_true(s->ops->has_field(s, SPAN("stock.quantity")));
    assert_false(s->ops->has_field(s, SPAN("stock.title")));
    assert_false(s->ops->has_field(s, SPAN("quantity")));
    assert_false(s->ops->has_field(s, SPAN("base")));
    kitchen_order(k, "7");
    kitchen_turn(k);
    kitchen_done(k, PRICE, BATCH_FAILED);
    kitchen_deliver(k, STOCK, "7", "{}");
    kitchen_deliver(k, ITEMS, "7", "{}");
    s->ops->describe(s, &text);
    buf_append_char(&text, '\0');
    assert_string_equal(text.data, "state=ready parts=base=items(required,merged),"
                                   "stock=stock(optional),"
                                   "price=price(optional,left_out=1)");
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kitchen_setup, kitchen_teardown)
        TEST(the_merged_part_stands_at_the_top_and_others_under_their_names),
        TEST(nobody_hears_before_the_end_of_the_turn),
        TEST(an_optional_source_that_is_down_costs_nothing),
        TEST(a_part_is_left_out_when_its_budget_is_over),
        TEST(a_required_part_out_of_its_budget_is_a_timeout),
        TEST(what_comes_after_its_budget_comes_too_late),
        TEST(a_budget_beyond_the_deadline_needs_no_timer),
        TEST(one_slow_id_does_not_hold_up_the_others),
        TEST(a_part_is_asked_once_for_everybody),
        TEST(a_freed_item_hears_nothing_and_asks_no_more),
        TEST(only_parts_that_will_be_shown_are_asked),
        TEST(without_a_required_part_each_may_tell_whether_there_is_an_item),
        TEST(an_id_is_judged_by_each_part),
        TEST(a_view_knows_the_fields_of_its_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
