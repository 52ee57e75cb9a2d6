/*
 * test_notify.c - words to a service manager that is this test.
 */
#include "server/master/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct notify n;
static int manager;

/* Listens under an abstract name and opens 'n' with it. */
static int
setup(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char name[64];
    int len = snprintf(name, sizeof(name), "@fetchd-notify-%d", (int)getpid());

    (void)state;
    memcpy(a.sun_path + 1, name + 1, (size_t)len - 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (bind(manager, (struct sockaddr *)&a,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)) == -1)
        return -1;
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "900000", 1);
    notify_open(&n);
    return n.fd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    notify_close(&n);
    close(manager);
    return 0;
}

static void
assert_told(const char *expected)
{
    char text[600] = "";

    (void)!recv(manager, text, sizeof(text) - 1, 0);
    assert_string_equal(text, expected);
}

static void
notify_says_its_words_and_takes_the_variables_away(void **state)
{
    (void)state;
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    notify_ready(&n);
    assert_told("READY=1\n");
    notify_reloading(&n, 1234567);
    assert_told("RELOADING=1\nMONOTONIC_USEC=1234567\n");
    notify_stopping(&n);
    assert_told("STOPPING=1\n");
    notify_export(&n);
    assert_non_null(strstr(getenv("NOTIFY_SOCKET"), "@fetchd-notify-"));
    assert_string_equal(getenv("WATCHDOG_USEC"), "900000");
}

static void
notify_status_is_sent_when_it_changes_and_is_one_line(void **state)
{
    (void)state;
    notify_status(&n, "%d of 4\nREADY=1", 3);
    assert_told("STATUS=3 of 4?READY=1");
    notify_status(&n, "%d of 4\nREADY=1", 3);
    assert_told("");
    notify_status(&n, "4 of 4");
    assert_told("STATUS=4 of 4");
}

static void
notify_beats_three_times_an_interval_while_somebody_lives(void **state)
{
    (void)state;
    notify_tick(&n, 1000000, true);
    assert_told("WATCHDOG=1");
    assert_int_equal(notify_wakeup(&n), 1300000);
    notify_tick(&n, 1299999, true);
    assert_told("");
    notify_tick(&n, 1300000, false);
    assert_told(""); /* and it looks again soon, but does not spin */
    assert_true(notify_wakeup(&n) > 1300000 && notify_wakeup(&n) <= 1400000);
    notify_tick(&n, 1400000, true);
    assert_told("WATCHDOG=1");
}

static void
notify_that_finds_no_room_is_said_later(void **state)
{
    int said = 0;
    char text[600];

    (void)state;
    for (; n.unsaid[0] == '\0'; said++)
        notify_ready(&n);
    notify_stopping(&n);
    for (said--; said > 0; said--)
        assert_told("READY=1\n");
    notify_tick(&n, 0, false);
    (void)!recv(manager, text, sizeof(text), 0);
    assert_told("");
    assert_int_equal(strncmp(text, "READY=1\nSTOPPING=1\n", 19), 0);
}

static void
notify_does_nothing_without_a_manager(void **state)
{
    struct notify none;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_open(&none);
    notify_ready(&none);
    notify_status(&none, "x");
    notify_tick(&none, 1, true);
    assert_int_equal(notify_wakeup(&none), 0);
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_open(&none);
    assert_int_equal(none.fd, -1);
    notify_close(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(notify_says_its_words_and_takes_the_variables_away),
        TEST(notify_status_is_sent_when_it_changes_and_is_one_line),
        TEST(notify_beats_three_times_an_interval_while_somebody_lives),
        TEST(notify_that_finds_no_room_is_said_later),
        cmocka_unit_test(notify_does_nothing_without_a_manager),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
