/*
 * test_log_sink.c - lines arrive whole, or not at all and nobody waits.
 */
#include "common/log_sink.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96], other[96];

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/fetchd-sink-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(other, sizeof(other), "%s/log.1", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    assert_int_equal(log_sink_open("stderr"), 0);
    return rmdir(dir);
}

static void
assert_holds(const char *file, const char *expected)
{
    char text[4096] = "";
    FILE *f = fopen(file, "r");

    assert_non_null(f);
    (void)!fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    assert_string_equal(text, expected);
}

static void
put(const char *line)
{
    assert_true(log_sink_write(line, strlen(line)));
}

static void
sink_knows_a_destination(void **state)
{
    (void)state;
    assert_true(log_sink_valid("stderr"));
    assert_true(log_sink_valid("syslog"));
    assert_true(log_sink_valid("syslog:/run/x"));
    assert_true(log_sink_valid("/var/log/x"));
    assert_false(log_sink_valid(""));
    assert_false(log_sink_valid("/"));
    assert_false(log_sink_valid("log"));
    assert_false(log_sink_valid("syslog:x"));
    assert_int_equal(log_sink_open("nonsense"), -1);
}

static void
sink_file_is_opened_anew_under_its_name(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(log_sink_open(path), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);
    put("one\n");
    assert_int_equal(rename(path, other), 0);
    put("two\n");
    assert_int_equal(log_sink_reopen(), 0);
    put("three\n");
    assert_holds(other, "one\ntwo\n");
    assert_holds(path, "three\n");
}

static void
sink_keeps_the_old_file_when_the_new_one_cannot_be_opened(void **state)
{
    (void)state;
    assert_int_equal(log_sink_open(path), 0);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink("/dev/null", path), 0); /* and follows no link */
    assert_int_equal(log_sink_reopen(), -1);
    put("still\n");
    assert_holds(other, "still\n");
}

static void
sink_pipe_that_nobody_reads_does_not_stop_us(void **state)
{
    int fds[2], saved = dup(STDERR_FILENO), lines = 0;
    char line[1000], got[1000];

    (void)state;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    dup2(fds[1], STDERR_FILENO);
    assert_int_equal(log_sink_open("stderr"), 0);
    while (log_sink_write(line, sizeof(line)))
        assert_true(++lines < 1000);
    /* What others write there still may wait: the flag is on a description of ours. */
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    for (; lines > 0; lines--) {
        assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(got));
        assert_memory_equal(got, line, sizeof(got));
    }
    put("again\n");
    dup2(saved, STDERR_FILENO);
    assert_int_equal(log_sink_reopen(), 0);
    close(saved);
    close(fds[0]);
    close(fds[1]);
}

static void
sink_begins_a_line_of_its_own_after_one_that_was_cut(void **state)
{
    const struct rlimit six = { 6, RLIM_INFINITY },
                        none = { RLIM_INFINITY, RLIM_INFINITY };

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(log_sink_open(path), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &six), 0); /* as a disk that is full */
    put("one\n");
    assert_false(log_sink_write("second\n", 7));
    assert_false(log_sink_write("third\n", 6));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    put("four\n");
    assert_holds(path, "one\nse\nfour\n");
}

static void
log_tells_how_many_lines_were_lost(void **state)
{
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY },
                        zero = { 0, RLIM_INFINITY };
    char text[1000] = "";
    FILE *f;

    (void)state;
    log_init("test", LOG_LEVEL_INFO);
    assert_int_equal(log_sink_open(path), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &zero), 0);
    log_info("a");
    log_info("b");
    assert_int_equal(log_dropped(), 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    log_info("c");
    f = fopen(path, "r");
    (void)!fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    assert_non_null(strstr(text, "log dropped lines=2"));
    assert_non_null(strstr(text, " c\n"));
    assert_int_equal(log_dropped(), 2);
}

static void
log_counts_what_is_said_over_and_over(void **state)
{
    char line[200];
    unsigned i, warnings = 0, debug = 0;
    FILE *f;

    (void)state;
    log_init("test", LOG_LEVEL_DEBUG);
    assert_int_equal(log_sink_open(path), 0);
    for (i = 0; i < 300; i++) {
        log_warn("again %u", i);
        log_debug("detail %u", i);
    }
    log_warn("something else");
    f = fopen(path, "r");
    while (fgets(line, sizeof(line), f) != NULL) {
        warnings += strstr(line, " again ") != NULL;
        debug += strstr(line, " detail ") != NULL;
    }
    fclose(f);
    assert_int_equal(warnings, 100);
    assert_int_equal(debug, 300);
    assert_non_null(strstr(line, "something else"));
}

static int
system_log(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void
log_to_the_system_log_survives_its_restart(void **state)
{
    char target[128], text[500] = "";
    int fd = system_log();

    (void)state;
    snprintf(target, sizeof(target), "syslog:%s", path);
    log_init("master", LOG_LEVEL_INFO);
    assert_int_equal(log_sink_open(target), 0);
    log_warn("hello n=%d", 7);
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(strncmp(text, "<28>", 4), 0);
    assert_non_null(strstr(text, " fetchd["));
    assert_non_null(strstr(text, "]: warn master hello n=7"));
    assert_null(strchr(text, '\n'));
    close(fd);
    unlink(path);
    log_warn("nobody hears this");
    fd = system_log();
    log_warn("too early to look again"); /* once a second */
    assert_int_equal(log_sink_reopen(), 0);
    log_warn("here again");
    memset(text, 0, sizeof(text));
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "log dropped lines=2"));
    close(fd);
}

static void
log_to_the_journal_says_how_bad_it_is(void **state)
{
    int pair[2], saved = dup(STDERR_FILENO);
    char stream[64], text[500] = "";
    struct stat st;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(fstat(pair[1], &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init("master", LOG_LEVEL_INFO);
    dup2(pair[1], STDERR_FILENO);
    assert_int_equal(log_sink_open("stderr"), 0);
    log_error("ouch");
    dup2(saved, STDERR_FILENO);
    assert_int_equal(log_sink_reopen(), 0);
    close(saved);
    close(pair[1]);
    assert_true(read(pair[0], text, sizeof(text) - 1) > 0);
    assert_int_equal(strncmp(text, "<3>error master[", 16), 0);
    close(pair[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sink_knows_a_destination),
        TEST(sink_file_is_opened_anew_under_its_name),
        TEST(sink_keeps_the_old_file_when_the_new_one_cannot_be_opened),
        TEST(sink_pipe_that_nobody_reads_does_not_stop_us),
        TEST(sink_begins_a_line_of_its_own_after_one_that_was_cut),
        TEST(log_tells_how_many_lines_were_lost),
        TEST(log_counts_what_is_said_over_and_over),
        TEST(log_to_the_journal_says_how_bad_it_is),
        TEST(log_to_the_system_log_survives_its_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
