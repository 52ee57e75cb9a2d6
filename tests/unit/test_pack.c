/*
 * test_pack.c - one block for a batch, freed by whoever lets go last.
 */
#include "server/item/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void
pack_lives_until_the_last_reference_is_given_back(void **state)
{
    struct item_pack *batch = item_pack_new(), *first, *second;

    (void)state;
    assert_non_null(batch);
    assert_int_equal(batch->refs, 1);
    BUF_APPEND_LIT(&batch->bytes, "{\"id\":7}");
    first = item_pack_ref(batch);
    second = item_pack_ref(batch);
    item_pack_unref(&batch);
    assert_null(batch);
    item_pack_unref(&second);
    assert_int_equal(first->refs, 1);
    assert_true(span_equal(buf_span(&first->bytes), SPAN("{\"id\":7}")));
    item_pack_unref(&first);
    assert_null(first);
}

static void
pack_of_nobody_may_be_given_back(void **state)
{
    struct item_pack *none = NULL;

    (void)state;
    item_pack_unref(&none);
    assert_null(none);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_lives_until_the_last_reference_is_given_back),
        cmocka_unit_test(pack_of_nobody_may_be_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
