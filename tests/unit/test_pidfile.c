/*
 * test_pidfile.c - a file that appears whole and that only its owner removes.
 */
#include "server/master/pidfile.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[64];
    char path[80];
    char other[80];
};

static int
setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    *state = p;
    if (p == NULL)
        return -1;
    snprintf(p->dir, sizeof(p->dir), "/tmp/fetchd-test-XXXXXX");
    if (mkdtemp(p->dir) == NULL)
        return -1;
    snprintf(p->path, sizeof(p->path), "%s/pid", p->dir);
    snprintf(p->other, sizeof(p->other), "%s/other", p->dir);
    return 0;
}

static int
teardown(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    unlink(p->other);
    rmdir(p->path);
    assert_int_equal(rmdir(p->dir), 0); /* nothing else was left there */
    free(p);
    return 0;
}

static void
put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void
assert_text(const char *path, const char *expected)
{
    char text[64] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, expected);
}

static void
assert_our_pid(const char *path)
{
    char text[32];

    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    assert_text(path, text);
}

static size_t
files_in(const char *path)
{
    DIR *dir = opendir(path);
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2; /* . and .. */
}

static void
pidfile_holds_our_pid_and_a_newline(void **state)
{
    struct place *p = *state;
    struct stat st;

    umask(022);
    assert_int_equal(pidfile_write(p->path), 0);
    assert_our_pid(p->path);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(files_in(p->dir), 1);
    pidfile_remove(p->path);
    assert_int_equal(files_in(p->dir), 0);
    pidfile_remove(p->path); /* harmless */
}

static void
pidfile_replaces_what_another_left(void **state)
{
    struct place *p = *state;

    put(p->path, "999999\nand more that was there before\n");
    assert_int_equal(pidfile_write(p->path), 0);
    assert_our_pid(p->path);
    assert_int_equal(pidfile_write(p->path), 0); /* again: the same */
    assert_our_pid(p->path);
    assert_int_equal(files_in(p->dir), 1);
}

static void
pidfile_of_another_stays(void **state)
{
    struct place *p = *state;

    put(p->path, "1\n");
    pidfile_remove(p->path);
    assert_text(p->path, "1\n");
    put(p->path, "");
    pidfile_remove(p->path);
    assert_text(p->path, "");
}

static void
pidfile_is_not_removed_by_a_child(void **state)
{
    struct place *p = *state;
    int status;
    pid_t pid;

    assert_int_equal(pidfile_write(p->path), 0);
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        pidfile_remove(p->path);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_our_pid(p->path);
}

static void
pidfile_never_writes_through_a_link(void **state)
{
    struct place *p = *state;
    char aside[112];

    put(p->other, "precious");
    assert_int_equal(symlink(p->other, p->path), 0);
    pidfile_remove(p->path); /* does not follow it either */
    snprintf(aside, sizeof(aside), "%s.%d", p->path, (int)getpid());
    assert_int_equal(symlink(p->other, aside), 0);
    assert_int_equal(pidfile_write(p->path), 0);
    assert_our_pid(p->path);
    assert_text(p->other, "precious");
    assert_int_equal(files_in(p->dir), 2);
}

static void
pidfile_without_a_name_is_none(void **state)
{
    (void)state;
    assert_int_equal(pidfile_write(""), 0);
    pidfile_remove("");
}

static void
pidfile_says_why_it_cannot_be_written(void **state)
{
    struct place *p = *state;
    char path[112];

    snprintf(path, sizeof(path), "%s/none/pid", p->dir);
    errno = 0;
    assert_int_equal(pidfile_write(path), -1);
    assert_int_equal(errno, ENOENT);
}

static void
pidfile_leaves_nothing_behind_when_it_cannot_be_put_in_place(void **state)
{
    struct place *p = *state;

    assert_int_equal(mkdir(p->path, 0755), 0);
    errno = 0;
    assert_int_equal(pidfile_write(p->path), -1);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(files_in(p->dir), 1);
}

int
main(void)
{
#define PIDFILE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        PIDFILE_TEST(pidfile_holds_our_pid_and_a_newline),
        PIDFILE_TEST(pidfile_replaces_what_another_left),
        PIDFILE_TEST(pidfile_of_another_stays),
        PIDFILE_TEST(pidfile_is_not_removed_by_a_child),
        PIDFILE_TEST(pidfile_never_writes_through_a_link),
        PIDFILE_TEST(pidfile_without_a_name_is_none),
        PIDFILE_TEST(pidfile_says_why_it_cannot_be_written),
        PIDFILE_TEST(pidfile_leaves_nothing_behind_when_it_cannot_be_put_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
