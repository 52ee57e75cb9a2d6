/*
 * test_config_views.c - views in the file: both forms, what follows, what is refused.
 */
#include "tests/unit/config_fixture.h"

#include "server/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Six lines; the views of the tests begin on line 7. */
#define HEAD                           \
    "database main { schema = s }\n"   \
    "source items { table = items }\n" \
    "source stock { table = stock }\n" \
    "source price { table = price }\n" \
    "source vendors { table = v }\n"   \
    "\n"

static struct config *
accepts(void **state, const char *views)
{
    char text[2000];

    snprintf(text, sizeof(text), "%s%s", HEAD, views);
    return fixture_accepts(*state, text);
}

static void
refuses(void **state, const char *views, const char *error)
{
    char text[4000];

    snprintf(text, sizeof(text), "%s%s", HEAD, views);
    fixture_refuses(*state, text, error);
}

static void
assert_part(const struct config_part *p, const char *name, const char *source,
            enum config_switch merge, enum config_switch required)
{
    assert_string_equal(p->name, name);
    assert_string_equal(p->source, source);
    assert_int_equal(p->merge, merge);
    assert_int_equal(p->required, required);
}

static void
the_short_form_names_parts_and_merges_base(void **state)
{
    struct config *c = accepts(state, "view product { parts { base = \"items\"  stock = "
                                      "\"stock\"  price = \"price\" } }\n");
    const struct config_view *v = &c->views[0];

    assert_int_equal(c->nviews, 1);
    assert_string_equal(v->name, "product");
    assert_int_equal(v->nparts, 3);
    assert_int_equal(v->merged, 0);
    assert_part(&v->parts[0], "base", "items", SWITCH_YES, SWITCH_YES);
    assert_part(&v->parts[1], "stock", "stock", SWITCH_NO, SWITCH_NO);
    assert_part(&v->parts[2], "price", "price", SWITCH_NO, SWITCH_NO);
    assert_int_equal(v->parts[1].source_index, 1);
    assert_null(v->parts[1].key_path);
    assert_int_equal(v->parts[1].key_part, 1);
    config_free(&c);
}

static void
the_full_form_says_everything(void **state)
{
    struct config *c =
        accepts(state, "view product {\n"
                       "  part top { source = items  merge = yes  required = no }\n"
                       "  parts { price = price }\n"
                       "  part vendor { source = vendors  key = \"top.shop.vendor_id\"\n"
                       "                required = yes  budget = \"20ms\" }\n"
                       "}\n"
                       "view other { part top { source = stock } }\n");
    const struct config_view *v = &c->views[0];

    assert_int_equal(c->nviews, 2);
    assert_int_equal(v->nparts, 3);
    assert_int_equal(v->merged, 0);
    assert_part(&v->parts[0], "top", "items", SWITCH_YES, SWITCH_NO);
    assert_part(&v->parts[1], "price", "price", SWITCH_NO, SWITCH_NO);
    assert_part(&v->parts[2], "vendor", "vendors", SWITCH_NO, SWITCH_YES);
    assert_int_equal(v->parts[2].key_part, 0);
    assert_string_equal(v->parts[2].key_path, "shop.vendor_id");
    assert_int_equal(v->parts[2].budget_ms, 20);
    assert_int_equal(c->views[1].merged, 1);
    assert_part(&c->views[1].parts[0], "top", "stock", SWITCH_NO, SWITCH_NO);
    config_free(&c);
}

static void
another_part_may_be_merged_instead_of_base(void **state)
{
    struct config *c =
        accepts(state, "view a { parts { base = items }\n"
                       "         part stock { source = stock  merge = yes } }\n"
                       "view b { part base { source = items  merge = no } }\n");

    assert_int_equal(c->views[0].merged, 1);
    assert_part(&c->views[0].parts[0], "base", "items", SWITCH_NO, SWITCH_NO);
    assert_part(&c->views[0].parts[1], "stock", "stock", SWITCH_YES, SWITCH_YES);
    assert_int_equal(c->views[1].merged, 1);
    config_free(&c);
}

static void
the_default_source_may_be_a_view(void **state)
{
    struct config *c = accepts(state, "view a { parts { base = items } }\n"
                                      "default = a\n");

    assert_int_equal(c->default_index, c->nsources);
    config_free(&c);
    c = accepts(state, "default = price\n");
    assert_int_equal(c->default_index, 2);
    config_free(&c);
    c = accepts(state, "");
    assert_int_equal(c->default_index, 0);
    config_free(&c);
    refuses(state, "default = prices\n",
            ":7: default: expected the name of a source or view, got \"prices\"");
}

static void
what_is_printed_reads_back(void **state)
{
    struct config *c =
        accepts(state, "view product { parts { base = items  stock = stock }\n"
                       "  part vendor { source = vendors  key = \"base.v\" } }\n");
    struct buf text = BUF_INIT;

    config_print(c, &text);
    config_free(&c);
    buf_append_char(&text, '\0');
    c = fixture_accepts(*state, text.data);
    assert_int_equal(c->nviews, 1);
    assert_int_equal(c->views[0].merged, 0);
    assert_part(&c->views[0].parts[1], "stock", "stock", SWITCH_NO, SWITCH_NO);
    assert_string_equal(c->views[0].parts[2].key_path, "v");
    config_free(&c);
    buf_fini(&text);
}

static void
the_command_lines_source_leaves_no_view(void **state)
{
    const struct config_overrides over = { .database_url = "mysql://u@h/s",
                                           .table = "items" };
    struct config *c = fixture_load_with(*state,
                                         HEAD "view a { parts { base = items } }\n"
                                              "default = a\n",
                                         &over);

    assert_non_null(c);
    assert_int_equal(c->nviews, 0);
    assert_int_equal(c->default_index, 0);
    config_free(&c);
}

static void
a_part_needs_a_source_that_is_there(void **state)
{
    refuses(state, "view a {\n  parts { base = items\n  stock = stok } }\n",
            ":9: view a: part stock: source: expected the name of a source section, got "
            "\"stok\"");
    refuses(state, "view a {\n  part stock { required = no }\n}\n",
            ":8: view a: part stock: source: required: the name of a source section");
    refuses(state, "view a { parts { base = items } }\nview b { parts {\n base = a } }\n",
            ":9: view b: part base: source: \"a\" is a view; expected a source section, "
            "as views are not made of views");
}

static void
a_key_comes_from_the_id_or_from_another_part(void **state)
{
    refuses(state,
            "view a { parts { base = items }\n part v { source = vendors\n"
            " key = \"bas.id\" } }\n",
            ":9: view a: part v: key: the view has no part of the name \"bas\"");
    refuses(state,
            "view a { parts { base = items }\n part v { source = vendors\n"
            " key = \"vendor_id\" } }\n",
            ":9: view a: part v: key: expected \"id\" or \"PART.FIELD\", got "
            "\"vendor_id\"");
    refuses(
        state, "view a { part v { source = vendors\n key = \"v.id\" } }\n",
        ":8: view a: part v: key: the keys of these parts go in a circle; one must be "
        "\"id\"");
    refuses(
        state,
        "view a { part base { source = items }\n"
        " part v { source = vendors\n key = \"w.id\" }\n"
        " part w { source = vendors\n key = \"v.id\" } }\n",
        ":9: view a: part v: key: the keys of these parts go in a circle; one must be "
        "\"id\"");
}

static void
no_name_is_given_twice(void **state)
{
    refuses(state, "view a { parts { base = items\n base = stock } }\n",
            ":8: view a: part base: given twice; first on line 7");
    refuses(state,
            "view a {\n parts { stock = stock }\n part stock { source = price } }\n",
            ":9: view a: part stock: given twice; first on line 8");
    refuses(state, "view a { part b { source = price\n source = stock } }\n",
            ":8: part b: source: given twice; first on line 7");
    refuses(state, "view items { parts { base = items } }\n",
            ":7: view items: a source has this name; keys could mean either");
    refuses(state,
            "view a { part x { source = items  merge = yes }\n"
            " part y { source = stock\n merge = yes } }\n",
            ":9: view a: part y: merge: part x is merged already; at most one can be");
}

static void
names_and_values_are_checked(void **state)
{
    char many[1000] = "view a { parts {";
    int i;

    refuses(state, "view a { }\n", ":7: view a: expected 1 to 16 parts, got 0");
    for (i = 0; i < 17; i++)
        sprintf(many + strlen(many), " p%d = items", i);
    strcat(many, "} }\n");
    refuses(state, many, ":7: view a: expected 1 to 16 parts, got 17");
    refuses(state, "view \"a.b\" { parts {\n base = items } }\n",
            ":8: view a.b: expected a name of 1 to 64 letters, digits, \"_\" and \"-\"");
    refuses(
        state, "view a {\n part \"x y\" { source = items } }\n",
        ":8: part x\\x20y: expected a name of 1 to 64 letters, digits, \"_\" and \"-\"");
    refuses(state, "view a { part b { source = items\n merge = maybe } }\n",
            ":8: view a: part b: merge: expected yes or no, got \"maybe\"");
    refuses(state, "view a { part b { source = items\n budget = 5 } }\n",
            ":8: view a: part b: budget: expected a duration such as \"250ms\" from 0 to "
            "1h, got \"5\"");
    refuses(state, "view a {\n part b { sources = items } }\n",
            ":8: sources: no such option, expected one of: source, key, merge, required, "
            "budget");
    refuses(state, "view a {\n base = items }\n",
            ":8: base: no such option, expected one of: part {}, parts {}");
}

static void
only_parts_nest(void **state)
{
    refuses(state, "view a { parts { base = items }\nsource b { table = t }\n",
            ":8: a section begins inside the section of line 7; is the closing brace of "
            "that one missing?");
    refuses(state, "view a {\n part b { source = items\n part c { source = stock } }\n",
            ":9: a section begins inside the section of line 8; is the closing brace of "
            "that one missing?");
    refuses(state, "source b { part c { source = stock } }\n",
            ":7: a section begins inside the section of line 7; is the closing brace of "
            "that one missing?");
    refuses(state, "view a {\n part b { source = items }\n",
            ":7: the section that begins here is not closed");
    refuses(state, "view a {\n part b { source = items\n",
            ":8: the section that begins here is not closed");
    refuses(state, "view a {\n parts { base = { items, stock } } }\n",
            ":8: unexpected \"{\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(the_short_form_names_parts_and_merges_base),
        TEST(the_full_form_says_everything),
        TEST(another_part_may_be_merged_instead_of_base),
        TEST(the_default_source_may_be_a_view),
        TEST(what_is_printed_reads_back),
        TEST(the_command_lines_source_leaves_no_view),
        TEST(a_part_needs_a_source_that_is_there),
        TEST(a_key_comes_from_the_id_or_from_another_part),
        TEST(no_name_is_given_twice),
        TEST(names_and_values_are_checked),
        TEST(only_parts_nest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
