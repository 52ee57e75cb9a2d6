/*
 * test_listeners.c - an address that stays keeps its socket.
 */
#include "server/master/listeners.h"
#include "tests/unit/config_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A configuration that listens on these, a list in the file's syntax. */
static struct config *
listening_on(void **state, const char *list)
{
    char text[512];

    snprintf(text, sizeof(text), "listen = %s\n" FIXTURE_BASE, list);
    return fixture_accepts(*state, text);
}

static void
listeners_keep_the_socket_of_an_address_that_stays(void **state)
{
    struct config *one = listening_on(state, "{ \"127.0.0.1:0\", \"[::1]:0\" }");
    struct config *two = listening_on(state, "{ \"[::1]:0\", \"127.0.0.2:0\" }");
    struct listeners l = { .n = 0 };
    struct buf error = BUF_INIT;
    int first[LISTENERS_MAX], second[LISTENERS_MAX];

    log_init("test", LOG_LEVEL_ERROR);
    assert_int_equal(listeners_open(&l, one, &error), 0);
    assert_int_equal(listeners_of(&l, one, first), 2);
    assert_int_equal(listeners_open(&l, two, &error), 0);
    assert_int_equal(l.n, 3); /* both generations are served meanwhile */
    assert_int_equal(listeners_of(&l, two, second), 2);
    assert_int_equal(second[0], first[1]);
    assert_int_not_equal(second[1], first[0]);
    listeners_keep(&l, two);
    assert_int_equal(l.n, 2);
    assert_int_equal(close(first[0]), -1); /* closed already */
    assert_int_equal(listeners_of(&l, two, second), 2);
    assert_int_equal(second[0], first[1]);
    listeners_close(&l);
    config_free(&one);
    config_free(&two);
    buf_fini(&error);
}

static void
listeners_tell_the_same_text_apart_when_it_stands_twice(void **state)
{
    struct config *twice = listening_on(state, "{ \"127.0.0.1:0\", \"127.0.0.1:0\" }");
    struct config *once = listening_on(state, "\"127.0.0.1:0\"");
    struct listeners l = { .n = 0 };
    struct buf error = BUF_INIT;
    int fds[LISTENERS_MAX], kept[LISTENERS_MAX];

    assert_int_equal(listeners_open(&l, twice, &error), 0);
    assert_int_equal(listeners_of(&l, twice, fds), 2);
    assert_int_not_equal(fds[0], fds[1]);
    listeners_keep(&l, once);
    assert_int_equal(l.n, 1);
    assert_int_equal(listeners_of(&l, once, kept), 1);
    assert_int_equal(kept[0], fds[0]);
    listeners_close(&l);
    config_free(&twice);
    config_free(&once);
    buf_fini(&error);
}

static void
listeners_change_nothing_when_one_cannot_be_opened(void **state)
{
    struct fixture *f = *state;
    struct config *good = listening_on(state, "\"127.0.0.1:0\"");
    struct config *bad;
    struct listeners l = { .n = 0 };
    struct buf error = BUF_INIT;
    char list[256], path[128];

    snprintf(path, sizeof(path), "%s/sock", f->dir);
    snprintf(list, sizeof(list), "{ \"unix:%s\", \"192.0.2.1:7\" }", path);
    bad = listening_on(state, list);
    assert_int_equal(listeners_open(&l, good, &error), 0);
    assert_int_equal(listeners_open(&l, bad, &error), -1);
    buf_append_char(&error, '\0');
    assert_non_null(strstr(buf_span(&error).p, "cannot listen on 192.0.2.1:7: "));
    assert_int_equal(l.n, 1);
    assert_int_equal(access(path, F_OK), -1); /* the one that could be was undone */
    listeners_close(&l);
    config_free(&good);
    config_free(&bad);
    buf_fini(&error);
}

static void
listeners_remove_the_file_of_a_unix_socket(void **state)
{
    struct fixture *f = *state;
    struct config *c, *without = listening_on(state, "\"127.0.0.1:0\"");
    struct listeners l = { .n = 0 };
    struct buf error = BUF_INIT;
    char list[256];

    snprintf(list, sizeof(list), "\"unix:%s/sock\"", f->dir);
    c = listening_on(state, list);
    assert_int_equal(listeners_open(&l, c, &error), 0);
    snprintf(list, sizeof(list), "%s/sock", f->dir);
    assert_int_equal(access(list, F_OK), 0);
    listeners_forsake(&l, c); /* a child lets go of nothing it serves */
    assert_int_equal(access(list, F_OK), 0);
    listeners_keep(&l, without);
    assert_int_equal(l.n, 0);
    assert_int_equal(access(list, F_OK), -1);
    config_free(&c);
    config_free(&without);
    buf_fini(&error);
}

/* A connection in the making to the address of a listening socket. */
static int
knock(int listening)
{
    struct sockaddr_in at = { 0 };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    if (connect(fd, (struct sockaddr *)&at, len) == -1)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

/* On the loopback a connection that is let in is so at once. */
static bool
is_let_in(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

static void
accepts_one(int listening)
{
    int fd = accept(listening, NULL, NULL);

    assert_int_not_equal(fd, -1);
    close(fd);
}

static void
listeners_admit_at_the_end_who_began_before_and_nobody_else(void **state)
{
    struct config *c = listening_on(state, "\"127.0.0.1:0\"");
    struct listeners l = { .n = 0 };
    struct buf error = BUF_INIT;
    const int seconds = 5;
    int workers, queued, begun, late;

    assert_int_equal(listeners_open(&l, c, &error), 0);
    workers = dup(l.list[0].fd);
    queued = knock(workers);
    assert_true(is_let_in(queued));
    /* A handshake that ends with the first byte, as if its last packet were on the way. */
    (void)setsockopt(workers, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    begun = knock(workers);
    assert_true(is_let_in(begun));
    listeners_close(&l);
    late = knock(workers);
    assert_false(is_let_in(late));
    accepts_one(workers);
    assert_int_equal(accept(workers, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(send(begun, "x", 1, 0), 1);
    accepts_one(workers);
    close(workers);
    close(queued);
    close(begun);
    close(late);
    config_free(&c);
    buf_fini(&error);
}

int
main(void)
{
#define LISTENERS_TEST(f) \
    cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        LISTENERS_TEST(listeners_keep_the_socket_of_an_address_that_stays),
        LISTENERS_TEST(listeners_tell_the_same_text_apart_when_it_stands_twice),
        LISTENERS_TEST(listeners_change_nothing_when_one_cannot_be_opened),
        LISTENERS_TEST(listeners_remove_the_file_of_a_unix_socket),
        LISTENERS_TEST(listeners_admit_at_the_end_who_began_before_and_nobody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
