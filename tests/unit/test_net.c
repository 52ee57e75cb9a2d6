/*
 * test_net.c - addresses and listening sockets.
 */
#include "common/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct net_addr
parsed(const char *text)
{
    struct net_addr a;
    const char *why = NULL;

    if (!net_addr_parse(text, &a, &why))
        fail_msg("%s: expected %s", text, why);
    return a;
}

static void
assert_shown(const char *text, const char *expected)
{
    struct net_addr a = parsed(text);
    char out[NET_ADDR_TEXT];

    assert_string_equal(net_addr_format(&a, out), expected);
}

static void
addresses_are_read_and_shown(void **state)
{
    (void)state;
    assert_shown("127.0.0.1:7070", "127.0.0.1:7070");
    assert_shown("0.0.0.0:0", "0.0.0.0:0");
    assert_shown(":70", "0.0.0.0:70");
    assert_shown("*:65535", "0.0.0.0:65535");
    assert_shown("[::1]:70", "[::1]:70");
    assert_shown("[::]:00070", "[::]:70");
    assert_shown("[2001:DB8::0:1]:1", "[2001:db8::1]:1");
    assert_shown("unix:/run/x.sock", "unix:/run/x.sock");
    assert_shown("/run/a:b.sock", "unix:/run/a:b.sock");
}

static void
what_is_no_address_is_refused_with_the_reason(void **state)
{
    static const char *const bad[] = {
        "",
        "7070",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "1.2.3:70",
        "1.2.3.4.5:70",
        "localhost:70",
        "::1:70",
        "[::1]",
        "[::1]70",
        "[::1:70",
        "[]:70",
        "[1.2.3.4]:70",
        "[fe80::1%lo]:70",
        ":65536",
        ":-1",
        ": 70",
        ":70 ",
        "1.2.3.4:000070",
        "unix:",
        "unix:run/x",
        "unix: /x",
        "*",
        "**:70",
        "010.0.0.1:7",
    };
    char path[200];
    struct net_addr a;
    const char *why;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        why = NULL;
        if (net_addr_parse(bad[i], &a, &why))
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_non_null(why);
    }
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[107] = '\0';
    assert_true(net_addr_parse(path, &a, &why));
    path[107] = 'x';
    path[108] = '\0';
    assert_false(net_addr_parse(path, &a, &why));
    assert_string_equal(why, "a socket path of at most 107 bytes");
}

static void
the_longest_address_fits_its_text(void **state)
{
    char path[200] = "unix:/", out[NET_ADDR_TEXT];
    struct net_addr a;

    (void)state;
    memset(path + 6, 'y', 106);
    path[6 + 106] = '\0';
    a = parsed(path);
    assert_string_equal(net_addr_format(&a, out), path);
    assert_shown("[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
                 "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void
loopback_and_unix_sockets_are_local(void **state)
{
    static const char *const local[] = { "127.0.0.1:1", "127.9.9.9:1", "[::1]:1",
                                         "[::ffff:127.0.0.1]:1", "/x" };
    static const char *const remote[] = { ":1", "128.0.0.1:1", "[::]:1", "[::2]:1",
                                          "[::ffff:10.0.0.1]:1" };
    struct net_addr a;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(local); i++) {
        a = parsed(local[i]);
        assert_true(net_addr_is_local(&a));
    }
    for (i = 0; i < ARRAY_LEN(remote); i++) {
        a = parsed(remote[i]);
        assert_false(net_addr_is_local(&a));
    }
}

static void
literals_resolve_to_themselves(void **state)
{
    struct net_addr found[2];
    char out[NET_ADDR_TEXT];
    const char *why = NULL;

    (void)state;
    assert_int_equal(net_resolve("192.0.2.1", 3306, found, 2, &why), 1);
    assert_string_equal(net_addr_format(&found[0], out), "192.0.2.1:3306");
    assert_int_equal(net_resolve("::1", 1, found, 2, &why), 1);
    assert_string_equal(net_addr_format(&found[0], out), "[::1]:1");
    assert_in_range(net_resolve("localhost", 1, found, 1, &why), 1, 1);
    assert_int_equal(net_resolve("no such..host", 1, found, 2, &why), -1);
    assert_non_null(why);
}

/* ---- sockets --------------------------------------------------------------------- */

struct place {
    char dir[64];
    char path[96];
    struct net_addr addr;
};

static int
place_setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return -1;
    snprintf(p->dir, sizeof(p->dir), "/tmp/fetchd-net-XXXXXX");
    if (mkdtemp(p->dir) == NULL) {
        free(p);
        return -1;
    }
    snprintf(p->path, sizeof(p->path), "%s/s.sock", p->dir);
    p->addr = parsed(p->path);
    *state = p;
    return 0;
}

static int
place_teardown(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    rmdir(p->dir);
    free(p);
    return 0;
}

static void
assert_flags(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int
option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static struct net_addr
address_of(int fd)
{
    struct net_addr a;

    a.len = sizeof(a.ss);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a.ss, &a.len), 0);
    return a;
}

static int
connected_to(const struct net_addr *a)
{
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_not_equal(fd, -1);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
    return fd;
}

static void
a_tcp_listener_gets_a_port_and_refuses_a_second_one_there(void **state)
{
    struct net_addr a = parsed("127.0.0.1:0"), bound;
    int fd, client;

    (void)state;
    fd = net_listen(&a, 16);
    assert_int_not_equal(fd, -1);
    assert_flags(fd);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    bound = address_of(fd);
    assert_int_not_equal(((struct sockaddr_in *)&bound.ss)->sin_port, 0);
    assert_int_equal(net_listen(&bound, 16), -1);
    assert_int_equal(errno, EADDRINUSE);

    client = connected_to(&bound);
    net_tune_client(client);
    assert_int_equal(option_of(client, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(client, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(client, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option_of(client, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option_of(client, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(option_of(client, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
    close(client);
    close(fd);
}

static void
both_families_may_share_a_port(void **state)
{
    struct net_addr four = parsed("0.0.0.0:0"), six = parsed("[::]:0");
    int fd4, fd6;

    (void)state;
    fd6 = net_listen(&six, 16);
    if (fd6 == -1)
        skip(); /* a machine without IPv6 */
    assert_int_equal(option_of(fd6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    six = address_of(fd6);
    ((struct sockaddr_in *)&four.ss)->sin_port =
        ((struct sockaddr_in6 *)&six.ss)->sin6_port;
    fd4 = net_listen(&four, 16);
    assert_int_not_equal(fd4, -1);
    close(fd4);
    close(fd6);
}

static void
a_unix_listener_has_the_mode_that_the_umask_leaves(void **state)
{
    struct place *p = *state;
    mode_t before = umask(027);
    struct stat st;
    int fd = net_listen(&p->addr, 16);

    umask(before);
    assert_int_not_equal(fd, -1);
    assert_flags(fd);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    close(fd);
}

static void
a_unix_socket_in_use_is_left_alone_and_a_stale_one_replaced(void **state)
{
    struct place *p = *state;
    int first, second, client;

    first = net_listen(&p->addr, 16);
    assert_int_not_equal(first, -1);
    assert_int_equal(net_listen(&p->addr, 16), -1);
    assert_int_equal(errno, EADDRINUSE);
    client = connected_to(&p->addr);
    net_tune_client(client);
    close(client);
    close(first);
    second = net_listen(&p->addr, 16);
    assert_int_not_equal(second, -1);
    client = connected_to(&p->addr);
    close(client);
    close(second);
}

static void
a_unix_socket_with_a_full_backlog_is_in_use(void **state)
{
    struct place *p = *state;
    int fd = net_listen(&p->addr, 0), waiting[3], i;

    for (i = 0; i < 3; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(waiting[i], (const struct sockaddr *)&p->addr.ss, p->addr.len);
    }
    assert_int_equal(net_listen(&p->addr, 16), -1);
    assert_int_equal(errno, EADDRINUSE);
    for (i = 0; i < 3; i++)
        close(waiting[i]);
    close(fd);
}

static void
a_file_that_is_no_socket_is_never_removed(void **state)
{
    struct place *p = *state;
    int fd = open(p->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_int_not_equal(fd, -1);
    close(fd);
    assert_int_equal(net_listen(&p->addr, 16), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(access(p->path, F_OK), 0);
}

static void
closing_keeps_errno(void **state)
{
    (void)state;
    errno = ENOENT;
    net_close_keep_errno(-1);
    assert_int_equal(errno, ENOENT);
}

int
main(void)
{
#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_shown),
        cmocka_unit_test(what_is_no_address_is_refused_with_the_reason),
        cmocka_unit_test(the_longest_address_fits_its_text),
        cmocka_unit_test(loopback_and_unix_sockets_are_local),
        cmocka_unit_test(literals_resolve_to_themselves),
        cmocka_unit_test(a_tcp_listener_gets_a_port_and_refuses_a_second_one_there),
        cmocka_unit_test(both_families_may_share_a_port),
        AT_PLACE(a_unix_listener_has_the_mode_that_the_umask_leaves),
        AT_PLACE(a_unix_socket_in_use_is_left_alone_and_a_stale_one_replaced),
        AT_PLACE(a_unix_socket_with_a_full_backlog_is_in_use),
        AT_PLACE(a_file_that_is_no_socket_is_never_removed),
        cmocka_unit_test(closing_keeps_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
