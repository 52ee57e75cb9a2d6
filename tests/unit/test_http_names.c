/*
 * test_http_names.c - addresses of a name: at once, from a thread, and which comes first.
 */
#include "server/source/http_names.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct event_base *base;
    struct http_names *names;
    unsigned changes;
};

static void
on_changed(void *arg)
{
    ((struct fixture *)arg)->changes++;
}

static void
start(struct fixture *f, const char *host)
{
    f->base = event_base_new();
    assert_non_null(f->base);
    f->changes = 0;
    f->names = http_names_new(f->base, host, 80, USEC_PER_SEC * 3600, on_changed, f);
    assert_non_null(f->names);
}

static void
end(struct fixture *f)
{
    http_names_free(&f->names);
    assert_null(f->names);
    event_base_free(f->base);
}

static void
an_address_needs_no_resolver(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "::1" };
    struct fixture f;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(hosts); i++) {
        char text[NET_ADDR_TEXT];

        start(&f, hosts[i]);
        assert_int_equal(http_names_count(f.names), 1);
        net_addr_format(http_names_at(f.names, http_names_first(f.names)), text);
        assert_string_equal(text, i == 0 ? "127.0.0.1:80" : "[::1]:80");
        assert_null(http_names_trouble(f.names));
        end(&f);
    }
}

static void
a_name_is_resolved_beside_the_loop(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, "localhost");
    assert_int_equal(http_names_count(f.names), 0);
    assert_null(http_names_trouble(f.names)); /* not yet known, not in trouble */
    while (f.changes == 0)
        assert_int_equal(event_base_loop(f.base, EVLOOP_ONCE), 0);
    assert_true(http_names_count(f.names) > 0);
    assert_true(net_addr_is_local(http_names_at(f.names, 0)));
    assert_true(http_names_know(f.names, http_names_at(f.names, 0)));
    end(&f);
}

static void
a_name_may_be_forgotten_while_it_is_looked_up(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, "localhost");
    end(&f);
}

static void
an_address_that_failed_comes_last(void **state)
{
    struct net_addr first, stranger;
    struct fixture f;
    const char *why;
    size_t n;

    (void)state;
    start(&f, "localhost");
    while (f.changes == 0)
        assert_int_equal(event_base_loop(f.base, EVLOOP_ONCE), 0);
    n = http_names_count(f.names);
    first = *http_names_at(f.names, http_names_first(f.names));
    assert_true(net_addr_parse("127.0.0.9:9", &stranger, &why));
    http_names_failed(f.names, &stranger);
    assert_int_equal(http_names_first(f.names), 0);
    http_names_failed(f.names, &first);
    assert_int_equal(http_names_first(f.names), 1 % n);
    http_names_failed(f.names, &first); /* said by many, counted once */
    assert_int_equal(http_names_first(f.names), 1 % n);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_needs_no_resolver),
        cmocka_unit_test(a_name_is_resolved_beside_the_loop),
        cmocka_unit_test(a_name_may_be_forgotten_while_it_is_looked_up),
        cmocka_unit_test(an_address_that_failed_comes_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
