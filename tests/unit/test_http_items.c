/*
 * test_http_items.c - which ids an answer's JSON speaks of.
 */
#include "server/source/http_items.h"
#include "tests/unit/loader_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEM_MAX 60

/* The bytes in a block of their own, so that a step beyond is seen. */
static const char *
read_many(struct bench *b, const char *text, const char *items, const char *match)
{
    struct buf scratch = BUF_INIT;
    size_t n = strlen(text);
    char *exact = malloc(n + 1);
    const char *why;

    assert_non_null(exact);
    memcpy(exact, text, n);
    why = http_items_read(b->held[0], span_of(exact, n), span_str(items), span_str(match),
                          ITEM_MAX, ITEM_FAIL_UPSTREAM, &scratch);
    free(exact);
    buf_fini(&scratch);
    return why;
}

/* The ids 7, 8 and x y, asked in one batch. */
static void
want_three(struct bench *b, struct heard *who[3])
{
    who[0] = bench_want(b, 0, "7");
    who[1] = bench_want(b, 0, "8");
    who[2] = bench_want(b, 0, "x y");
    bench_end_turn(b);
    assert_int_equal(b->nheld, 1);
}

static void
items_are_matched_by_field_not_by_place(void **state)
{
    struct bench *b = *state;
    struct heard *who[3];

    want_three(b, who);
    assert_null(read_many(b,
                          " [ {\"id\": \"x\\u0020y\", \"n\": 9007199254740993}, null,\n"
                          "{\"id\":99}, {\"a\":[{\"id\":8}],\"id\":7} ] ",
                          "", "id"));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_found(who[0], "{\"a\":[{\"id\":8}],\"id\":7}");
    assert_heard(who[1], ITEM_MISS);
    assert_found(who[2], "{\"id\":\"x\\u0020y\",\"n\":9007199254740993}");
}

static void
paths_lead_to_the_items_and_their_ids(void **state)
{
    struct bench *b = *state;
    struct heard *who[3];

    want_three(b, who);
    assert_null(read_many(b, "{\"data\":{\"results\":[{\"p\":{\"id\":8}}]}}",
                          "data.results", "p.id"));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(who[0], ITEM_MISS);
    assert_found(who[1], "{\"p\":{\"id\":8}}");
}

static void
an_id_that_shows_up_twice_fails(void **state)
{
    struct bench *b = *state;
    struct heard *who[3];

    want_three(b, who);
    assert_null(
        read_many(b, "[{\"id\":7,\"a\":1},{\"id\":8},{\"id\":\"7\",\"a\":2}]", "", "id"));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(who[0], ITEM_FAIL_UPSTREAM);
    assert_found(who[1], "{\"id\":8}");
    assert_heard(who[2], ITEM_MISS);
}

static void
no_miss_is_said_when_something_cannot_be_read(void **state)
{
    static const char *const odd[] = { "[{\"id\":7},{\"name\":1}]",
                                       "[{\"id\":7},5]",
                                       "[{\"id\":7},[]]",
                                       "[{\"id\":7},\"8\"]",
                                       "[{\"id\":7},{\"id\":null}]",
                                       "[{\"id\":7},{\"id\":true}]",
                                       "[{\"id\":7},{\"id\":[8]}]" };
    struct bench *b = *state;
    struct heard *who[3];
    size_t i;

    for (i = 0; i < ARRAY_LEN(odd); i++) {
        want_three(b, who);
        assert_null(read_many(b, odd[i], "", "id"));
        bench_done(b, 0, BATCH_COMPLETE);
        assert_found(who[0], "{\"id\":7}");
        assert_heard(who[1], ITEM_FAIL_UPSTREAM);
        assert_heard(who[2], ITEM_FAIL_UPSTREAM);
    }
}

static void
a_large_item_fails_alone(void **state)
{
    struct bench *b = *state;
    struct heard *who[3];

    want_three(b, who);
    assert_null(read_many(b,
                          "[{\"id\":7,\"text\":\"0123456789012345678901234567890123456789"
                          "01234567890123456789\"},{\"id\":8}]",
                          "", "id"));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(who[0], ITEM_FAIL_TOOBIG);
    assert_found(who[1], "{\"id\":8}");
}

static void
an_answer_without_its_array_says_nothing(void **state)
{
    static const char *const list[] = { "",
                                        "{}",
                                        "7",
                                        "\"[]\"",
                                        "null",
                                        "[{\"id\":7}",
                                        "[{\"id\":7}] x",
                                        "[{\"id\":07}]",
                                        "[{\"id\":\"\xff\"}]",
                                        "[{\"id\":7,}]" };
    struct bench *b = *state;
    struct heard *who[3];
    size_t i;

    want_three(b, who);
    for (i = 0; i < ARRAY_LEN(list); i++)
        assert_non_null(read_many(b, list[i], "", "id"));
    assert_non_null(read_many(b, "{\"data\":{}}", "data.results", "id"));
    assert_non_null(
        read_many(b, "{\"data\":{\"results\":{\"id\":7}}}", "data.results", "id"));
    assert_null(read_many(b, "[]", "", "id"));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(who[0], ITEM_MISS);
}

static void
one_item_is_one_object(void **state)
{
    static const char *const no_object[] = {
        "", "[]", "7", "\"{}\"", "null", "{} {}", "{\"a\":1", "{\"a\":\"\n\"}"
    };
    struct bench *b = *state;
    struct heard *who = bench_want(b, 0, "7");
    size_t i;

    bench_end_turn(b);
    for (i = 0; i < ARRAY_LEN(no_object); i++)
        assert_non_null(http_item_read(b->held[0], span_str(no_object[i]), ITEM_MAX));
    assert_null(http_item_read(b->held[0], SPAN("\r\n{ \"a\" : 1.50 }\n"), ITEM_MAX));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_found(who, "{\"a\":1.50}");
}

static void
one_item_may_be_too_large(void **state)
{
    struct bench *b = *state;
    struct heard *who = bench_want(b, 0, "7");

    bench_end_turn(b);
    assert_null(http_item_read(b->held[0], SPAN("{\"a\":1}"), 6));
    bench_done(b, 0, BATCH_COMPLETE);
    assert_heard(who, ITEM_FAIL_TOOBIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(items_are_matched_by_field_not_by_place,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(paths_lead_to_the_items_and_their_ids,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(an_id_that_shows_up_twice_fails, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(no_miss_is_said_when_something_cannot_be_read,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_large_item_fails_alone, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(an_answer_without_its_array_says_nothing,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(one_item_is_one_object, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(one_item_may_be_too_large, bench_setup,
                                        bench_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
