/*
 * test_lock.c - one holder, and anybody may look.
 */
#include "server/master/lock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], pid_file[80], lock_file[96];

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/fetchd-lock-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(pid_file, sizeof(pid_file), "%s/pid", dir);
    snprintf(lock_file, sizeof(lock_file), "%s.lock", pid_file);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(lock_file);
    return rmdir(dir);
}

static void
lock_is_taken_once(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(lock_look(pid_file), LOCK_FREE);
    fd = lock_take(pid_file);
    assert_true(fd >= 0);
    assert_int_equal(lock_look(pid_file), LOCK_HELD);
    assert_int_equal(lock_take(pid_file), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    /* Neither look nor attempt has taken it away. */
    assert_int_equal(lock_look(pid_file), LOCK_HELD);
    close(fd);
    assert_int_equal(lock_look(pid_file), LOCK_FREE);
}

static void
lock_is_held_by_a_child_that_outlives_its_master(void **state)
{
    int fd = lock_take(pid_file), leave[2];
    pid_t child;
    char byte;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pipe(leave), 0);
    if ((child = fork()) == 0) {
        close(leave[1]);
        _exit(read(leave[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(fd); /* as the master's death would */
    assert_int_equal(lock_look(pid_file), LOCK_HELD);
    assert_int_equal(lock_take(pid_file), -1);
    close(leave[0]);
    close(leave[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(lock_look(pid_file), LOCK_FREE);
}

static void
lock_knows_that_its_file_was_removed(void **state)
{
    int fd = lock_take(pid_file), again;

    (void)state;
    assert_true(lock_stands(fd, pid_file));
    unlink(lock_file);
    assert_false(lock_stands(fd, pid_file));
    again = lock_take(pid_file);
    assert_true(again >= 0);
    assert_true(lock_stands(again, pid_file));
    assert_false(lock_stands(fd, pid_file));
    close(fd);
    close(again);
}

static void
lock_does_not_follow_a_link(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", lock_file), 0);
    assert_int_equal(lock_take(pid_file), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(lock_look(pid_file), LOCK_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lock_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(lock_is_held_by_a_child_that_outlives_its_master,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(lock_knows_that_its_file_was_removed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lock_does_not_follow_a_link, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
