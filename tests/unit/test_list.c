/*
 * test_list.c - nodes in order, off the list at any time.
 */
#include "common/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct letter {
    struct list link;
    char name;
};

static struct letter a, b, c, d;

static int
setup(void **state)
{
    (void)state;
    a.name = 'a';
    b.name = 'b';
    c.name = 'c';
    d.name = 'd';
    list_init(&a.link);
    list_init(&b.link);
    list_init(&c.link);
    list_init(&d.link);
    return 0;
}

/* Forwards and backwards. */
static void
assert_letters(const struct list *head, const char *expected)
{
    const struct list *node;
    size_t n = 0;

    for (node = head->next; node != head; node = node->next) {
        assert_int_equal(CONTAINER_OF(node, struct letter, link)->name, expected[n]);
        assert_ptr_equal(node->next->prev, node);
        assert_ptr_equal(node->prev->next, node);
        n++;
    }
    assert_int_equal(expected[n], '\0');
    assert_int_equal(list_empty(head), n == 0);
}

static void
list_keeps_the_order_of_appending(void **state)
{
    struct list head = LIST_INIT(head);

    (void)state;
    assert_letters(&head, "");
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    list_prepend(&head, &a.link);
    assert_letters(&head, "abc");
    list_insert_before(&c.link, &d.link);
    assert_letters(&head, "abdc");
}

static void
list_remove_is_safe_at_any_time(void **state)
{
    struct list head = LIST_INIT(head);

    (void)state;
    list_remove(&a.link); /* on no list */
    assert_false(list_linked(&a.link));
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    assert_true(list_linked(&b.link));
    list_remove(&b.link);
    list_remove(&b.link);
    assert_false(list_linked(&b.link));
    assert_letters(&head, "ac");
    list_append(&head, &b.link);
    assert_letters(&head, "acb");
}

static void
list_pop_takes_the_first(void **state)
{
    struct list head = LIST_INIT(head);

    (void)state;
    assert_null(list_pop(&head));
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    assert_ptr_equal(list_pop(&head), &a.link);
    assert_false(list_linked(&a.link));
    assert_ptr_equal(list_pop(&head), &b.link);
    assert_null(list_pop(&head));
}

static void
list_splice_moves_all_to_the_end(void **state)
{
    struct list to = LIST_INIT(to), from = LIST_INIT(from);

    (void)state;
    list_splice(&to, &from);
    assert_letters(&to, "");
    list_append(&from, &c.link);
    list_append(&from, &d.link);
    list_splice(&to, &from);
    assert_letters(&to, "cd");
    assert_letters(&from, "");
    list_append(&from, &a.link);
    list_splice(&to, &from);
    assert_letters(&to, "cda");
    list_append(&from, &b.link);
    assert_letters(&from, "b");
}

static void
list_each_may_remove_the_node_it_visits(void **state)
{
    struct list head = LIST_INIT(head), *node, *after;
    unsigned visits = 0;

    (void)state;
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    LIST_EACH_SAFE (node, after, &head) {
        visits++;
        if (node != &b.link)
            list_remove(node);
    }
    assert_int_equal(visits, 3);
    assert_letters(&head, "b");
    LIST_EACH_SAFE (node, after, &head)
        list_remove(node);
    LIST_EACH_SAFE (node, after, &head)
        fail();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(list_keeps_the_order_of_appending, setup),
        cmocka_unit_test_setup(list_remove_is_safe_at_any_time, setup),
        cmocka_unit_test_setup(list_pop_takes_the_first, setup),
        cmocka_unit_test_setup(list_splice_moves_all_to_the_end, setup),
        cmocka_unit_test_setup(list_each_may_remove_the_node_it_visits, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
