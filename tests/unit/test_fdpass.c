/*
 * test_fdpass.c - a descriptor sent is a descriptor received, and none is left over.
 */
#include "common/fdpass.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int
setup(void **state)
{
    int *pair = malloc(2 * sizeof(int));

    *state = pair;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int
teardown(void **state)
{
    int *pair = *state;

    close(pair[0]);
    close(pair[1]);
    free(pair);
    return 0;
}

static size_t
open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static ssize_t
send_word(int sock, const char *word, const int *fds, size_t nfds)
{
    char text[8];
    struct iovec iov = { text, strlen(word) };

    memcpy(text, word, strlen(word));
    return fdpass_send(sock, &iov, 1, fds, nfds);
}

static void
fdpass_carries_bytes_and_descriptors(void **state)
{
    const int *pair = *state;
    int out[2], in[FDPASS_MAX];
    char text[8] = "";
    size_t n;

    assert_int_equal(pipe(out), 0);
    assert_int_equal(send_word(pair[0], "hello", out, 2), 5);
    assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), in, &n), 5);
    assert_int_equal(n, 2);
    assert_string_equal(text, "hello");
    assert_true(fcntl(in[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(in[1], "x", 1), 1);
    assert_int_equal(read(out[0], text, 1), 1); /* the same pipe */
    close(in[0]);
    close(in[1]);
    close(out[0]);
    close(out[1]);
}

static void
fdpass_works_without_descriptors_and_tells_the_end(void **state)
{
    int *pair = *state;
    int in[FDPASS_MAX];
    char text[8];
    size_t n = 9;

    assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), in, &n), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(n, 0);
    assert_int_equal(send_word(pair[0], "a", NULL, 0), 1);
    assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), in, &n), 1);
    assert_int_equal(n, 0);
    shutdown(pair[0], SHUT_WR);
    assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), in, &n), 0);
}

static void
fdpass_says_when_there_is_no_room(void **state)
{
    const int *pair = *state;
    int i;

    for (i = 0; i < 100000 && send_word(pair[0], "a", &pair[0], 1) == 1; i++)
        ;
    assert_in_range(i, 1, 99999);
    assert_int_equal(errno, EAGAIN);
}

static void
fdpass_leaves_no_descriptor_behind_when_not_all_fit(void **state)
{
    const int *pair = *state;
    struct rlimit before, low;
    size_t n, was = open_descriptors();
    int in[FDPASS_MAX], out[] = { 0, 1, 2 };
    char text[8];

    assert_int_equal(send_word(pair[0], "a", out, 3), 1);
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = (rlim_t)dup(0) + 1; /* room for one: the dup's number */
    close((int)low.rlim_cur - 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(fdpass_recv(pair[1], text, sizeof(text), in, &n), 1);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(n, 0);
    assert_int_equal(open_descriptors(), was);
}

int
main(void)
{
#define FDPASS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        FDPASS_TEST(fdpass_carries_bytes_and_descriptors),
        FDPASS_TEST(fdpass_works_without_descriptors_and_tells_the_end),
        FDPASS_TEST(fdpass_says_when_there_is_no_room),
        FDPASS_TEST(fdpass_leaves_no_descriptor_behind_when_not_all_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
