/*
 * test_lastwords.c - a crash and a failed assertion leave their traces, and still kill.
 */
#include "server/worker/lastwords.h"

#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int
setup(void **state)
{
    const struct rlimit none = { 0, 0 };

    *state = mmap(NULL, sizeof(struct blackbox), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setrlimit(RLIMIT_CORE, &none);
    return *state == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
    return munmap(*state, sizeof(struct blackbox));
}

/* A child that prepares and then does 'crash'; returns the signal it died of. */
static int
die(struct blackbox *box, void (*crash)(void))
{
    int status;
    pid_t pid = fork();

    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        lastwords_init(box);
        crash();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
fail_an_assertion(void)
{
    assert(1 + 1 == 3);
}

static void
abort_it(void)
{
    raise(SIGABRT);
}

/* Its handlers stand before ours, and its own report is better than ours. */
static bool
sanitizer_has(int signal_number)
{
    struct sigaction was;

    return sigaction(signal_number, NULL, &was) == 0 && was.sa_handler != SIG_DFL;
}

static void
a_crash_leaves_its_frames(void **state)
{
    struct blackbox *box = *state;

    if (sanitizer_has(SIGABRT))
        skip();
    assert_int_equal(die(box, abort_it), SIGABRT);
    assert_in_range(box->nframes, 3, BLACKBOX_FRAMES);
    assert_int_not_equal(box->frames[0], 0);
    assert_string_equal(box->panic, "");
}

static void
a_failed_assertion_leaves_its_text(void **state)
{
    struct blackbox *box = *state;

    if (sanitizer_has(SIGABRT))
        skip();
    assert_int_equal(die(box, fail_an_assertion), SIGABRT);
    assert_non_null(strstr(box->panic, "test_lastwords.c:"));
    assert_non_null(strstr(box->panic, "fail_an_assertion: assertion \"1 + 1 == 3\""));
    assert_in_range(box->nframes, 3, BLACKBOX_FRAMES);
}

static void
every_command_has_a_verb(void **state)
{
    struct blackbox box;
    struct command c = { 0 };
    int kind;

    (void)state;
    for (kind = COMMAND_FETCH; kind <= COMMAND_ERROR; kind++) {
        c.kind = (enum command_kind)kind;
        lastwords_note(&box, &c, 1);
        assert_string_not_equal(box.request, "other");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_crash_leaves_its_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_assertion_leaves_its_text, setup,
                                        teardown),
        cmocka_unit_test(every_command_has_a_verb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
