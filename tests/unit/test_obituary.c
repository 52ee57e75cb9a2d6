/*
 * test_obituary.c - how real children end, in words.
 */
#include "server/master/obituary.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The wait status of a child that ends by 'sig', or by exit(code) when sig is 0. */
static int
end_of_child(int sig, int code)
{
    struct rlimit no_core = { 0, 0 };
    int status = -1;
    pid_t pid = fork();

    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        if (sig != 0) {
            signal(sig, SIG_DFL);
            raise(sig);
        }
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
obituary_names_the_signal(void **state)
{
    char text[80];

    (void)state;
    assert_string_equal(obituary(end_of_child(SIGKILL, 0), text, sizeof(text)),
                        "signal=9 (Killed)");
    assert_string_equal(obituary(end_of_child(SIGTERM, 0), text, sizeof(text)),
                        "signal=15 (Terminated)");
    assert_string_equal(obituary(end_of_child(SIGABRT, 0), text, sizeof(text)),
                        "signal=6 (Aborted)");
}

static void
obituary_says_when_a_core_was_dumped(void **state)
{
    char text[80];

    (void)state;
    assert_string_equal(obituary(SIGSEGV | WCOREFLAG, text, sizeof(text)),
                        "signal=11 (Segmentation fault, core dumped)");
}

static void
obituary_gives_the_exit_code(void **state)
{
    char text[80];

    (void)state;
    assert_string_equal(obituary(end_of_child(0, 0), text, sizeof(text)), "exit=0");
    assert_string_equal(obituary(end_of_child(0, 1), text, sizeof(text)), "exit=1");
    assert_string_equal(obituary(end_of_child(0, 255), text, sizeof(text)), "exit=255");
}

static void
obituary_is_cut_to_its_room(void **state)
{
    char text[8];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_ptr_equal(obituary(SIGKILL, text, sizeof(text)), text);
    assert_string_equal(text, "signal=");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obituary_names_the_signal),
        cmocka_unit_test(obituary_says_when_a_core_was_dumped),
        cmocka_unit_test(obituary_gives_the_exit_code),
        cmocka_unit_test(obituary_is_cut_to_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
