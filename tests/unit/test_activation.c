/*
 * test_activation.c - only a listening stream socket is served on.
 */
#include "server/master/activation.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
give(const char *fds, int pid)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", fds, 1);
    setenv("LISTEN_FDNAMES", "a", 1);
}

static void
activation_is_for_the_process_it_names(void **state)
{
    (void)state;
    give("2", (int)getpid());
    assert_int_equal(activation_take(), 2);
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDNAMES"));
    assert_int_equal(activation_take(), 0);
    give("2", (int)getppid());
    assert_int_equal(activation_take(), 0);
    give("-5", (int)getpid());
    assert_int_equal(activation_take(), 0);
    give("1000000", (int)getpid());
    assert_int_equal(activation_take(), 0);
}

static void
assert_refused(int fd, const char *expected)
{
    const char *why;

    assert_false(activation_check(fd, &why));
    assert_string_equal(why, expected);
    close(fd);
}

static void
activation_refuses_what_is_no_listening_stream(void **state)
{
    const char *why;
    int fd;

    (void)state;
    assert_refused(open("/dev/null", O_RDONLY), "is no socket");
    assert_refused(socket(AF_INET, SOCK_DGRAM, 0), "is no stream socket");
    assert_refused(socket(AF_INET, SOCK_STREAM, 0), "does not listen");
    assert_refused(socket(AF_NETLINK, SOCK_RAW, 0), "is neither a TCP nor a unix socket");
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_true(activation_check(fd, &why));
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activation_is_for_the_process_it_names),
        cmocka_unit_test(activation_refuses_what_is_no_listening_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
