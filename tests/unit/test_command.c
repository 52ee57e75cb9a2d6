/*
 * test_command.c - conversations on the control socket, both ends in one process.
 */
#include "server/master/command.h"

#include "common/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], pid_file[80];
static struct commands *commands;

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/fetchd-command-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(pid_file, sizeof(pid_file), "%s/pid", dir);
    return (commands = commands_open(pid_file)) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    commands_close(&commands);
    return rmdir(dir); /* nothing is left in it */
}

static int
dial(void)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

    assert_int_equal(command_address(pid_file, &address), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int
dial_and_say(const char *word)
{
    int fd = dial();

    assert_int_equal(send(fd, word, strlen(word), 0), strlen(word));
    return fd;
}

static void
assert_hears(int fd, const char *expected)
{
    char text[COMMAND_TEXT_MAX + 1] = "";
    ssize_t n = recv(fd, text, COMMAND_TEXT_MAX, 0);

    assert_true(n >= 0);
    assert_string_equal(text, expected);
}

/* The next command must be 'verb'; returns its sender. */
static unsigned
take(enum command_verb verb)
{
    enum command_verb got;
    unsigned who;

    assert_true(commands_next(commands, &got, &who));
    assert_int_equal(got, verb);
    return who;
}

static void
assert_nothing_to_take(void)
{
    enum command_verb verb;
    unsigned who;

    assert_false(commands_next(commands, &verb, &who));
}

static void
command_is_heard_told_and_answered(void **state)
{
    int fd = dial_and_say("status");
    unsigned who = take(COMMAND_STATUS);

    (void)state;
    commands_tell(commands, who, "one moment");
    commands_answer(commands, who, COMMAND_DONE, "pid=%d\nx", 7);
    assert_hears(fd, "- one moment");
    assert_hears(fd, "= 0 pid=7?x"); /* one line, whatever is in it */
    assert_hears(fd, "");
    close(fd);
    assert_nothing_to_take();
}

static void
command_unknown_is_refused_and_the_next_is_heard(void **state)
{
    int odd = dial_and_say("explode"), fd = dial_and_say("quit");

    (void)state;
    take(COMMAND_QUIT);
    assert_hears(odd, "= 1 this server knows no such command");
    commands_settle(commands, COMMAND_QUIT, COMMAND_DONE, "stopped");
    assert_hears(fd, "= 0 stopped");
    close(fd);
    close(odd);
}

static void
command_that_follows_a_wish_hears_its_own_outcome(void **state)
{
    struct outcomes outcomes = { 0 };
    int first = dial_and_say("reload"), second;

    (void)state;
    commands_follow(commands, take(COMMAND_RELOAD), outcome_ask(&outcomes, WISH_RELOAD));
    outcome_begin(&outcomes, WISH_RELOAD);
    second = dial_and_say("reload");
    commands_follow(commands, take(COMMAND_RELOAD), outcome_ask(&outcomes, WISH_RELOAD));
    commands_report(commands, &outcomes);
    commands_report(commands, &outcomes); /* says it once */
    outcome_settle(&outcomes, WISH_RELOAD, OUTCOME_REFUSED, "line 3");
    commands_report(commands, &outcomes);
    outcome_begin(&outcomes, WISH_RELOAD);
    outcome_settle(&outcomes, WISH_RELOAD, OUTCOME_OK, "%s", "");
    commands_report(commands, &outcomes);
    assert_hears(first, "- reload begun");
    assert_hears(first, "= 1 reload refused: line 3");
    assert_hears(second, "= 0 reload done");
    close(first);
    close(second);
}

static void
commands_silent_sender_gives_way_and_a_waiting_one_does_not(void **state)
{
    int fds[COMMAND_CLIENTS], late, i;

    (void)state;
    fds[0] = dial_and_say("reload");
    take(COMMAND_RELOAD);
    for (i = 1; i < COMMAND_CLIENTS; i++)
        fds[i] = dial();
    assert_nothing_to_take();
    late = dial_and_say("status");
    commands_answer(commands, take(COMMAND_STATUS), COMMAND_DONE, "fine");
    assert_hears(late, "= 0 fine");
    assert_hears(fds[1], ""); /* the longest silent one was hung up on */
    commands_settle(commands, COMMAND_RELOAD, COMMAND_DONE, "done");
    assert_hears(fds[0], "= 0 done");
    for (i = 0; i < COMMAND_CLIENTS; i++)
        close(fds[i]);
    close(late);
}

static void
commands_never_wait_for_a_sender_who_does_not_read(void **state)
{
    int fd = dial_and_say("stop"), i;
    unsigned who = take(COMMAND_STOP);

    (void)state;
    for (i = 0; i < 10000; i++)
        commands_tell(commands, who, "%0500d", i);
    close(fd);
    assert_nothing_to_take(); /* and he is forgotten when he leaves */
}

static void
commands_socket_is_private_and_mended_when_removed(void **state)
{
    struct sockaddr_un address;
    struct stat st;

    (void)state;
    assert_int_equal(command_address(pid_file, &address), 0);
    assert_int_equal(stat(address.sun_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(commands_mend(commands));
    unlink(address.sun_path);
    assert_true(commands_mend(commands));
    close(dial());
}

static void
commands_survive_an_exec(void **state)
{
    struct outcomes outcomes = { 0 };
    struct buf word = BUF_INIT;
    int fd = dial_and_say("upgrade");

    (void)state;
    commands_follow(commands, take(COMMAND_UPGRADE),
                    outcome_ask(&outcomes, WISH_UPGRADE));
    commands_save(commands, true, &word);
    BUF_APPEND_LIT(&word, "\0");
    free(commands); /* what exec does: memory goes, descriptors stay */
    commands = commands_restore(pid_file, buf_span(&word).p);
    assert_non_null(commands);
    outcome_begin(&outcomes, WISH_UPGRADE);
    outcome_settle(&outcomes, WISH_UPGRADE, OUTCOME_OK, "%s", "new");
    commands_report(commands, &outcomes);
    assert_hears(fd, "= 0 upgrade done: new");
    close(fd);
    buf_fini(&word);
    assert_null(commands_restore(pid_file, "nonsense"));
}

static void
commands_do_nothing_for_a_master_without_them(void **state)
{
    struct commands *none = NULL;
    struct pollfd fds[COMMAND_POLLFDS];
    enum command_verb verb;
    unsigned who;

    (void)state;
    assert_int_equal(commands_poll(none, fds), 0);
    assert_false(commands_next(none, &verb, &who));
    assert_false(commands_mend(none));
    commands_settle(none, COMMAND_STOP, COMMAND_DONE, "stopped");
    commands_forsake(none);
    commands_close(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(command_is_heard_told_and_answered),
        TEST(command_unknown_is_refused_and_the_next_is_heard),
        TEST(command_that_follows_a_wish_hears_its_own_outcome),
        TEST(commands_silent_sender_gives_way_and_a_waiting_one_does_not),
        TEST(commands_never_wait_for_a_sender_who_does_not_read),
        TEST(commands_socket_is_private_and_mended_when_removed),
        TEST(commands_survive_an_exec),
        TEST(commands_do_nothing_for_a_master_without_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
