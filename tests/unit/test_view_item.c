/*
 * test_view_item.c - parts whose keys come out of other parts.
 */
#include "tests/unit/view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS USEC_PER_MSEC

/* A vendor by the item's vendor_id, which may be any text. */
static struct kitchen *
with_vendor(void **state, const char *path, bool required)
{
    struct kitchen *k = *state;
    struct config_part *vendor;

    kitchen_part(k, "base", ITEMS, true);
    vendor = kitchen_part(k, "vendor", VENDORS, required);
    kitchen_key(k, vendor, 0, path);
    k->larders[VENDORS].any_text = true;
    kitchen_open(k, 0);
    return k;
}

static void
a_part_is_asked_by_a_field_of_another_in_the_same_turn(void **state)
{
    struct kitchen *k = with_vendor(state, "vendor_id", false);
    struct guest *g = kitchen_order(k, "7");

    kitchen_turn(k);
    assert_string_equal(kitchen_asked(k, VENDORS), "");
    kitchen_deliver(k, ITEMS, "7", "{\"id\":7,\"vendor_id\":42}");
    assert_string_equal(kitchen_asked(k, VENDORS), "42");
    assert_waits(g);
    kitchen_deliver(k, VENDORS, "42", "{\"name\":\"A\"}");
    assert_item(g, "{\"id\":7,\"vendor_id\":42,\"vendor\":{\"name\":\"A\"}}");
}

/* What becomes of the vendor, when the item says 'value'. */
static void
assert_key(void **state, const char *value, const char *asked, const char *missing)
{
    struct kitchen *k = *state;
    struct guest *g = kitchen_order(k, "7");
    char json[2000];

    snprintf(json, sizeof(json), "{\"v\":%s}", value);
    kitchen_turn(k);
    kitchen_deliver(k, ITEMS, "7", json);
    assert_string_equal(kitchen_asked(k, VENDORS), asked);
    if (asked[0] != '\0')
        kitchen_deliver(k, VENDORS, asked, "{}");
    assert_guest(g, ITEM_FOUND);
    assert_string_equal(g->missing, missing);
}

static void
numbers_and_texts_are_keys_and_nothing_else_is(void **state)
{
    char longest[300], longer[300];

    with_vendor(state, "v", false);
    snprintf(longest, sizeof(longest), "\"%0250d\"", 0);
    snprintf(longer, sizeof(longer), "\"%0251d\"", 0);
    assert_key(state, "42", "42", "");
    assert_key(state, "-1.50", "-1.50", "");
    assert_key(state, "\"a b\"", "a b", "");
    assert_key(state, "\"\\u00fc\\n\\\"\"", "ü\n\"", "");
    assert_key(state, "null", "", "vendor:miss");
    assert_key(state, "\"\"", "", "vendor:badid");
    assert_key(state, "true", "", "vendor:badid");
    assert_key(state, "{\"a\":1}", "", "vendor:badid");
    assert_key(state, "[1]", "", "vendor:badid");
    assert_key(state, longer, "", "vendor:badid");
    longest[251] = '\0';
    assert_int_equal(strlen(longest + 1), 250);
}

static void
a_path_may_lead_deeper_or_nowhere(void **state)
{
    struct kitchen *k = with_vendor(state, "shop.vendor", false);
    struct guest *deep = kitchen_order(k, "7"), *nowhere = kitchen_order(k, "8");

    kitchen_turn(k);
    kitchen_serve(k, ITEMS, "7", "{\"shop\":{\"vendor\":3}}");
    kitchen_serve(k, ITEMS, "8", "{\"shop\":{}}");
    kitchen_done(k, ITEMS, BATCH_COMPLETE);
    kitchen_turn(k);
    assert_string_equal(kitchen_asked(k, VENDORS), "3");
    assert_item(nowhere, "{\"shop\":{}}");
    assert_string_equal(nowhere->missing, "vendor:miss");
    assert_int_equal(nowhere->lacks, 0);
    assert_waits(deep);
}

static void
a_required_part_without_a_key_makes_a_miss(void **state)
{
    struct kitchen *k = with_vendor(state, "v", true);
    struct guest *g = kitchen_order(k, "7");

    kitchen_turn(k);
    kitchen_deliver(k, ITEMS, "7", "{\"v\":null}");
    assert_guest(g, ITEM_MISS);
}

static void
a_part_shares_the_fate_of_the_one_that_has_its_key(void **state)
{
    struct kitchen *k = *state;
    struct config_part *vendor;
    struct guest *failed, *missed;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false);
    vendor = kitchen_part(k, "vendor", VENDORS, false);
    kitchen_key(k, vendor, 1, "v");
    kitchen_open(k, 0);
    failed = kitchen_order(k, "7");
    missed = kitchen_order(k, "8");
    kitchen_turn(k);
    kitchen_spoil(k, STOCK, "7", ITEM_FAIL_OVERLOAD);
    kitchen_done(k, STOCK, BATCH_COMPLETE);
    kitchen_serve(k, ITEMS, "7", "{}");
    kitchen_deliver(k, ITEMS, "8", "{}");
    assert_guest(failed, ITEM_FOUND);
    assert_string_equal(failed->missing, "stock:overload,vendor:overload");
    assert_guest(missed, ITEM_FOUND);
    assert_string_equal(missed->missing, "stock:miss,vendor:miss");
}

static void
keys_may_go_through_several_parts(void **state)
{
    struct kitchen *k = *state;
    struct guest *g;

    /* said backwards: nothing depends on the order */
    kitchen_part(k, "price", PRICE, true);
    kitchen_part(k, "stock", STOCK, false);
    kitchen_part(k, "base", ITEMS, false);
    kitchen_key(k, &k->parts[0], 1, "p");
    kitchen_key(k, &k->parts[1], 2, "s");
    kitchen_open(k, 2);
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    kitchen_deliver(k, ITEMS, "7", "{\"s\":8}");
    kitchen_deliver(k, STOCK, "8", "{\"p\":9}");
    kitchen_deliver(k, PRICE, "9", "{\"eur\":1}");
    assert_item(g, "{\"s\":8,\"price\":{\"eur\":1},\"stock\":{\"p\":9}}");
}

static void
a_budget_counts_from_when_the_part_was_asked(void **state)
{
    struct kitchen *k = *state;
    struct guest *g;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "vendor", VENDORS, false)->budget_ms = 20;
    kitchen_open(k, 0);
    kitchen_key(k, &k->parts[1], 0, "v");
    g = kitchen_order(k, "7");
    kitchen_turn(k);
    k->now += 50 * MS;
    kitchen_deliver(k, ITEMS, "7", "{\"v\":1}");
    assert_int_equal(views_due(k->views), k->now + 20 * MS);
    k->now += 20 * MS;
    views_expire(k->views, k->now);
    kitchen_turn(k);
    assert_item(g, "{\"v\":1}");
    assert_string_equal(g->missing, "vendor:timeout");
}

static void
a_shown_part_needs_the_one_that_has_its_key(void **state)
{
    const struct span name = SPAN("price.eur");
    struct kitchen *k = *state;
    struct guest *g;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false);
    kitchen_part(k, "price", PRICE, false);
    kitchen_part(k, "vendor", VENDORS, false);
    kitchen_key(k, &k->parts[2], 1, "p");
    kitchen_open(k, 0);
    g = kitchen_order_fields(k, "7", &name, 1);
    kitchen_turn(k);
    assert_string_equal(kitchen_asked(k, STOCK), "7");
    assert_int_equal(k->larders[VENDORS].ids_asked, 0);
    kitchen_deliver(k, STOCK, "7", "{\"p\":3}");
    kitchen_deliver(k, ITEMS, "7", "{}");
    kitchen_deliver(k, PRICE, "3", "{\"eur\":1}");
    assert_item(g, "{\"stock\":{\"p\":3},\"price\":{\"eur\":1}}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kitchen_setup, kitchen_teardown)
        TEST(a_part_is_asked_by_a_field_of_another_in_the_same_turn),
        TEST(numbers_and_texts_are_keys_and_nothing_else_is),
        TEST(a_path_may_lead_deeper_or_nowhere),
        TEST(a_required_part_without_a_key_makes_a_miss),
        TEST(a_part_shares_the_fate_of_the_one_that_has_its_key),
        TEST(keys_may_go_through_several_parts),
        TEST(a_budget_counts_from_when_the_part_was_asked),
        TEST(a_shown_part_needs_the_one_that_has_its_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
