/*
 * test_log.c - one event, one line, whatever is in it.
 *
 * Lines are caught in a pipe that stands in for stderr while one is logged.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct capture {
    int stderr_saved;
    int from;
    char text[4096];
};

static void
capture_open(struct capture *c)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    c->stderr_saved = dup(STDERR_FILENO);
    assert_true(c->stderr_saved >= 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    c->from = fds[0];
}

/* What was written, as one text. */
static const char *
capture_close(struct capture *c)
{
    size_t n = 0;
    ssize_t got;

    dup2(c->stderr_saved, STDERR_FILENO); /* the last writer goes: the pipe ends */
    close(c->stderr_saved);
    while ((got = read(c->from, c->text + n, sizeof(c->text) - 1 - n)) > 0)
        n += (size_t)got;
    c->text[n] = '\0';
    close(c->from);
    return c->text;
}

static void
assert_matches(const char *text, const char *pattern)
{
    regex_t re;
    int rc;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    rc = regexec(&re, text, 0, NULL, 0);
    regfree(&re);
    if (rc != 0)
        fail_msg("\"%s\" does not match %s", text, pattern);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

static void
line_says_when_how_bad_who_and_what(void **state)
{
    struct capture c;
    char pattern[128];

    (void)state;
    log_init("worker/3", LOG_LEVEL_DEBUG);
    snprintf(pattern, sizeof(pattern), "^" STAMP " info worker/3\\[%d\\] ready n=7\n$",
             (int)getpid());
    capture_open(&c);
    log_info("ready n=%d", 7);
    assert_matches(capture_close(&c), pattern);
}

static void
line_names_its_level(void **state)
{
    struct capture c;

    (void)state;
    log_init("master", LOG_LEVEL_DEBUG);
    capture_open(&c);
    log_error("e");
    log_warn("w");
    log_info("i");
    log_debug("d");
    assert_matches(capture_close(&c), "^[^\n]* error [^\n]* e\n[^\n]* warn [^\n]* w\n"
                                      "[^\n]* info [^\n]* i\n[^\n]* debug [^\n]* d\n$");
}

static void
level_keeps_lesser_lines_out(void **state)
{
    struct capture c;

    (void)state;
    log_init("master", LOG_LEVEL_WARN);
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_false(log_enabled(LOG_LEVEL_DEBUG));
    capture_open(&c);
    log_info("not this");
    log_debug("nor this");
    log_warn("but this");
    assert_matches(capture_close(&c), "^[^\n]* warn [^\n]* but this\n$");
}

static void
level_names_are_parsed_exactly(void **state)
{
    enum log_level level = LOG_LEVEL_WARN;

    (void)state;
    assert_true(log_level_parse(SPAN("error"), &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_true(log_level_parse(SPAN("warn"), &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_true(log_level_parse(SPAN("info"), &level));
    assert_int_equal(level, LOG_LEVEL_INFO);
    assert_true(log_level_parse(SPAN("debug"), &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_parse(SPAN("Error"), &level));
    assert_false(log_level_parse(SPAN("warning"), &level));
    assert_false(log_level_parse(SPAN(""), &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG); /* untouched */
}

static void
line_too_long_is_cut_and_still_ends(void **state)
{
    struct capture c;
    char text[3000];
    const char *line;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_init("master", LOG_LEVEL_INFO);
    capture_open(&c);
    log_info("%s", text);
    line = capture_close(&c);
    assert_true(strlen(line) <= 2048);
    assert_true(strlen(line) > 2000);
    assert_matches(line, "^[^\n]* x+\n$");
}

static void
errno_survives_the_logger(void **state)
{
    struct capture c;

    (void)state;
    log_init("master", LOG_LEVEL_INFO);
    capture_open(&c);
    errno = ENOSPC;
    log_info("something");
    assert_int_equal(errno, ENOSPC);
    log_debug("nothing");
    assert_int_equal(errno, ENOSPC);
    capture_close(&c);
}

static void
line_that_cannot_be_written_is_counted_not_waited_for(void **state)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    uint64_t dropped = log_dropped();
    struct capture c;
    int fd;

    (void)state;
    log_init("master", LOG_LEVEL_INFO);
    capture_open(&c);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    dup2(fd, STDERR_FILENO);
    close(fd);
    log_info("lost");
    log_info("lost too");
    assert_string_equal(capture_close(&c), "");
    assert_int_equal(log_dropped(), dropped + 2);
    signal(SIGPIPE, before);
}

/* Runs 'die' in a child; its exit code, and what it logged in 'c'. */
static int
exit_code_of(void (*die)(void), struct capture *c)
{
    int status;
    pid_t pid;

    capture_open(c);
    if ((pid = fork()) == 0) {
        die();
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    capture_close(c);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
die_with_errno(void)
{
    errno = EADDRINUSE;
    fatal("bind %s", "127.0.0.1:1");
}

static void
die_without_errno(void)
{
    errno = EADDRINUSE;
    fatalx("no table");
}

static void
fatal_logs_and_exits_1(void **state)
{
    struct capture c;

    (void)state;
    log_init("master", LOG_LEVEL_ERROR);
    assert_int_equal(exit_code_of(die_with_errno, &c), 1);
    assert_matches(c.text, " error [^\n]* bind 127.0.0.1:1: Address already in use\n$");
    assert_int_equal(exit_code_of(die_without_errno, &c), 1);
    assert_matches(c.text, " error [^\n]* no table\n$");
}

static void
escape_leaves_printable_ascii_and_nothing_else(void **state)
{
    char out[LOG_ESCAPE_SIZE];

    (void)state;
    assert_string_equal(log_escape(SPAN("role::program-1_2.3/4~!"), out),
                        "role::program-1_2.3/4~!");
    assert_ptr_equal(log_escape(SPAN("x"), out), out);
    assert_string_equal(log_escape(SPAN(""), out), "");
    assert_string_equal(log_escape(span_of(NULL, 0), out), "");
    assert_string_equal(log_escape(SPAN("a b\r\n\t\0\x7f\xff"), out),
                        "a\\x20b\\x0d\\x0a\\x09\\x00\\x7f\\xff");
    assert_string_equal(log_escape(SPAN("\"\\"), out), "\\x22\\x5c");
    assert_string_equal(log_escape(SPAN("\xc3\xa9"), out), "\\xc3\\xa9");
}

static void
escape_shows_128_bytes_and_that_there_is_more(void **state)
{
    char in[300], out[LOG_ESCAPE_SIZE];

    (void)state;
    memset(in, 'a', sizeof(in));
    assert_int_equal(strlen(log_escape(span_of(in, 128), out)), 128);
    assert_int_equal(strlen(log_escape(span_of(in, 129), out)), 131);
    assert_string_equal(out + 126, "aa...");
    memset(in, '\1', sizeof(in)); /* the longest there is */
    assert_int_equal(strlen(log_escape(span_of(in, sizeof(in)), out)), 128 * 4 + 3);
    assert_true(strlen(out) < LOG_ESCAPE_SIZE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_says_when_how_bad_who_and_what),
        cmocka_unit_test(line_names_its_level),
        cmocka_unit_test(level_keeps_lesser_lines_out),
        cmocka_unit_test(level_names_are_parsed_exactly),
        cmocka_unit_test(line_too_long_is_cut_and_still_ends),
        cmocka_unit_test(errno_survives_the_logger),
        cmocka_unit_test(line_that_cannot_be_written_is_counted_not_waited_for),
        cmocka_unit_test(fatal_logs_and_exits_1),
        cmocka_unit_test(escape_leaves_printable_ascii_and_nothing_else),
        cmocka_unit_test(escape_shows_128_bytes_and_that_there_is_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
