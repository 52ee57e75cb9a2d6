/*
 * test_premises.c - three files that live, and are mended, together.
 */
#include "server/master/premises.h"

#include "server/master/lock.h"
#include "server/master/pidfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], pid_file[80];
static struct premises premises;

static const char *
beside(const char *suffix)
{
    static char path[96];

    snprintf(path, sizeof(path), "%s%s", pid_file, suffix);
    return path;
}

static int
setup(void **state)
{
    const struct premises none = PREMISES_INIT;

    (void)state;
    premises = none;
    snprintf(dir, sizeof(dir), "/tmp/fetchd-premises-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(pid_file, sizeof(pid_file), "%s/pid", dir);
    return premises_open(&premises, pid_file);
}

static int
teardown(void **state)
{
    (void)state;
    premises_close(&premises);
    unlink(beside(".lock"));
    return rmdir(dir); /* and nothing else is left in it */
}

static void
premises_are_had_once(void **state)
{
    struct premises second = PREMISES_INIT;

    (void)state;
    assert_int_equal(premises_open(&second, pid_file), EXIT_ALREADY_RUNNING);
    premises_close(&second);
    assert_true(pidfile_is_ours(pid_file));
    assert_int_equal(access(beside(".control"), F_OK), 0);
    assert_int_equal(lock_look(pid_file), LOCK_HELD);
}

static void
premises_are_mended_now_and_then(void **state)
{
    (void)state;
    premises_look(&premises, PREMISES_LOOK_EVERY);
    unlink(pid_file);
    unlink(beside(".lock"));
    unlink(beside(".control"));
    premises_look(&premises, 2 * PREMISES_LOOK_EVERY - 1);
    assert_int_equal(access(pid_file, F_OK), -1);
    premises_look(&premises, 2 * PREMISES_LOOK_EVERY);
    assert_true(pidfile_is_ours(pid_file));
    assert_int_equal(access(beside(".control"), F_OK), 0);
    assert_int_equal(lock_look(pid_file), LOCK_HELD);
}

static void
premises_leave_what_is_no_longer_theirs(void **state)
{
    FILE *f;

    (void)state;
    unlink(pid_file);
    f = fopen(pid_file, "w");
    fputs("1\n", f);
    fclose(f);
    premises_close(&premises);
    assert_int_equal(access(pid_file, F_OK), 0);
    unlink(pid_file);
}

static void
premises_survive_an_exec(void **state)
{
    struct premises after = PREMISES_INIT;
    struct buf word = BUF_INIT;

    (void)state;
    premises_save(&premises, true, &word);
    BUF_APPEND_LIT(&word, "\0");
    assert_int_equal(premises_restore(&after, pid_file, buf_span(&word).p), 0);
    assert_int_equal(after.lock_fd, premises.lock_fd);
    assert_non_null(after.commands);
    free(premises.commands); /* what exec does: memory goes, descriptors stay */
    premises = after;
    assert_int_equal(lock_look(pid_file), LOCK_HELD);
    buf_fini(&word);
}

static void
premises_are_none_without_a_pid_file(void **state)
{
    struct premises none = PREMISES_INIT;

    (void)state;
    assert_int_equal(premises_open(&none, ""), 0);
    premises_look(&none, PREMISES_LOOK_EVERY);
    premises_forsake(&none);
    premises_close(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(premises_are_had_once),
        TEST(premises_are_mended_now_and_then),
        TEST(premises_leave_what_is_no_longer_theirs),
        TEST(premises_survive_an_exec),
        cmocka_unit_test(premises_are_none_without_a_pid_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
