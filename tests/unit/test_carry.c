/*
 * test_carry.c - a master finds in the next program what it left in this one.
 */
#include "server/master/carry.h"
#include "server/master/state.h"
#include "tests/unit/config_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct supervisor_rules rules = { 0 };

static void
master_init(struct master *m)
{
    size_t i;

    *m = (struct master){ .house = HOUSE_INIT };
    assert_non_null(m->controls = malloc(SCOREBOARD_CAPACITY * sizeof(*m->controls)));
    assert_int_equal(supervisor_init(&m->supervisor, SCOREBOARD_CAPACITY, &rules), 0);
    for (i = 0; i < SCOREBOARD_CAPACITY; i++)
        m->controls[i] = -1;
}

/* Its descriptors may be another's by now: 'close' says whether they are its own. */
static void
master_fini(struct master *m, bool close)
{
    if (close) {
        listeners_close(&m->listeners);
        scoreboard_free(&m->board);
        cache_free(&m->cache);
        house_close(&m->house);
    }
    supervisor_fini(&m->supervisor);
    free(m->controls);
    free(m->user);
    free(m->pid_file);
}

/* A master with a worker that serves and one that retires. */
static void
master_fill(struct master *m, const struct config *c, int pair[2])
{
    struct buf error = BUF_INIT;

    log_init("test", LOG_LEVEL_ERROR);
    assert_non_null(m->user = strdup(geteuid() == 0 ? "root" : ""));
    assert_non_null(m->pid_file = strdup(""));
    assert_non_null(m->board = scoreboard_new(SCOREBOARD_CAPACITY));
    assert_int_equal(listeners_open(&m->listeners, c, &error), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    m->serial = 9;
    m->now.number = 3;
    m->last_generation = 4;
    supervisor_turn(&m->supervisor, 3, 2, 1000);
    supervisor_spawned(&m->supervisor, &(struct supervisor_birth){ 5, 1 }, 4711, 2000);
    supervisor_ready(&m->supervisor, 5, 3000);
    supervisor_spawned(&m->supervisor, &(struct supervisor_birth){ 0, 0 }, 4712, 2000);
    supervisor_retired(&m->supervisor, 0, 4000, 9000);
    m->supervisor.places[1].restarts = 7;
    m->controls[5] = pair[0];
    scoreboard_use(m->board, 5);
    metrics_add(slot_metrics(scoreboard_slot(m->board, 5)), METRIC_items, 42);
    outcome_ask(&m->outcomes, WISH_UPGRADE);
    outcome_begin(&m->outcomes, WISH_UPGRADE);
    outcome_ask(&m->outcomes, WISH_RELOAD);
}

static void
carry_brings_everything_along(void **state)
{
    struct config *c = fixture_accepts(*state, "listen = \"127.0.0.1:0\"\n" FIXTURE_BASE);
    struct master before, after;
    uint64_t sum[METRIC_COUNT];
    int pair[2], fd;

    master_init(&before);
    master_fill(&before, c, pair);
    assert_int_not_equal(carry_save(&before), -1);
    assert_false(fcntl(before.listeners.list[0].fd, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
    assert_int_not_equal(fd = carry_find(), -1);
    assert_int_equal(carry_find(), -1); /* once */

    master_init(&after);
    assert_true(carry_restore(&after, fd));
    assert_int_equal(after.serial, 9);
    assert_int_equal(after.now.number, 3);
    assert_int_equal(after.last_generation, 4);
    assert_int_equal(after.supervisor.slots[5].state, CHILD_READY);
    assert_int_equal(after.supervisor.slots[5].pid, 4711);
    assert_int_equal(after.supervisor.slots[5].place, 1);
    assert_int_equal(after.supervisor.slots[5].generation, 3);
    assert_int_equal(after.supervisor.slots[5].since, 3000);
    assert_int_equal(after.supervisor.slots[0].state, CHILD_RETIRING);
    assert_int_equal(after.supervisor.slots[0].until, 9000);
    assert_int_equal(after.supervisor.places[1].restarts, 7);
    assert_int_equal(after.controls[5], pair[0]);
    assert_true(after.adopted[5] && !after.foreign[5]);
    assert_int_equal(after.listeners.n, 1);
    assert_string_equal(after.listeners.list[0].text, "127.0.0.1:0");
    assert_int_equal(after.listeners.list[0].fd, before.listeners.list[0].fd);
    scoreboard_sum(after.board, sum);
    assert_int_equal(sum[METRIC_items], 42);
    assert_true(outcome_running(&after.outcomes, WISH_UPGRADE));
    assert_true(outcome_wanted(&after.outcomes, WISH_RELOAD));
    /* kept open by the execve, and by no later one */
    assert_true(fcntl(after.listeners.list[0].fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);

    master_fini(&after, true);
    free(before.listeners.list[0].text);
    scoreboard_free(&before.board); /* its descriptor was the other's, and is closed */
    master_fini(&before, false);
    close(pair[0]);
    close(pair[1]);
    config_free(&c);
}

static void
carry_leaves_everything_as_it_was_when_it_comes_to_nothing(void **state)
{
    struct config *c = fixture_accepts(*state, "listen = \"127.0.0.1:0\"\n" FIXTURE_BASE);
    struct master m;
    int pair[2], fd;

    master_init(&m);
    master_fill(&m, c, pair);
    assert_int_not_equal(fd = carry_save(&m), -1);
    carry_undo(&m, fd);
    assert_true(fcntl(m.listeners.list[0].fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(scoreboard_fd(m.board), F_GETFD) & FD_CLOEXEC);
    assert_int_equal(carry_find(), -1);
    master_fini(&m, true);
    close(pair[0]);
    close(pair[1]);
    config_free(&c);
}

/* A memfd that holds this, named by the variable. */
static int
carried_text(const char *text)
{
    int fd = memfd_create("carried", MFD_ALLOW_SEALING);
    char number[16];

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    snprintf(number, sizeof(number), "%d", fd);
    setenv("FETCHD_CARRIED", number, 1);
    return fd;
}

static void
carry_believes_only_what_this_very_process_wrote(void **state)
{
    char text[64];
    int fd;

    (void)state;
    fd = carried_text("fetchd 1\npid 1\n");
    assert_int_equal(carry_find(), -1);
    assert_null(getenv("FETCHD_CARRIED"));
    close(fd);
    snprintf(text, sizeof(text), "fetchd %d\npid %d\n", CARRY_FORMAT + 1, (int)getpid());
    fd = carried_text(text);
    assert_int_equal(carry_find(), -1);
    close(fd);
    setenv("FETCHD_CARRIED", "1", 1);
    assert_int_equal(carry_find(), -1);
}

static void
carry_refuses_a_text_that_is_cut_off_or_strange(void **state)
{
    static const char *const bodies[] = {
        "",                                  /* no board, no user */
        "serial 9",                          /* cut off */
        "colour blue\n",                     /* another format's line */
        "child 99999 0 1 2 4711 -1 0 0 0\n", /* no such slot */
        "child 0 0 1 2 1 -1 0 0 0\n",        /* init is nobody's child */
        "place 256 0 0 0\n",                 /* no such place */
    };
    char text[128];
    struct master m;
    size_t i;

    (void)state;
    log_init("test", LOG_LEVEL_ERROR);
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        snprintf(text, sizeof(text), "fetchd %d\npid %d\n%s", CARRY_FORMAT, (int)getpid(),
                 bodies[i]);
        master_init(&m);
        assert_false(carry_restore(&m, carried_text(text)));
        master_fini(&m, true);
    }
    unsetenv("FETCHD_CARRIED");
}

int
main(void)
{
#define CARRY_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CARRY_TEST(carry_brings_everything_along),
        CARRY_TEST(carry_leaves_everything_as_it_was_when_it_comes_to_nothing),
        CARRY_TEST(carry_believes_only_what_this_very_process_wrote),
        CARRY_TEST(carry_refuses_a_text_that_is_cut_off_or_strange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
