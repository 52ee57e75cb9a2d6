/*
 * test_scoreboard.c - what the dead counted is kept, how they were is not.
 */
#include "server/stats/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS 3
#define CAPACITY 5

static int
setup(void **state)
{
    struct scoreboard *board = scoreboard_new(CAPACITY);

    if (board == NULL)
        return -1;
    scoreboard_use(board, SLOTS - 1);
    *state = board;
    return 0;
}

static int
teardown(void **state)
{
    struct scoreboard *board = *state;

    scoreboard_free(&board);
    assert_null(board);
    scoreboard_free(&board);
    return 0;
}

static struct metrics *
metrics_of(struct scoreboard *board, size_t slot)
{
    return slot_metrics(scoreboard_slot(board, slot));
}

static uint64_t
sum_of(const struct scoreboard *board, enum metric which)
{
    uint64_t sum[METRIC_COUNT];

    scoreboard_sum(board, sum);
    return sum[which];
}

static void
scoreboard_begins_empty(void **state)
{
    struct scoreboard *board = *state;
    uint64_t sum[METRIC_COUNT];
    size_t i;

    assert_int_equal(scoreboard_size(board), SLOTS);
    scoreboard_sum(board, sum);
    for (i = 0; i < METRIC_COUNT; i++)
        assert_int_equal(sum[i], 0);
    for (i = 0; i < SLOTS; i++) {
        assert_int_equal(slot_state(scoreboard_slot(board, i)), SLOT_EMPTY);
        /* two children never write to the same cache line */
        assert_int_equal((uintptr_t)scoreboard_slot(board, i) % 64, 0);
    }
}

static void
scoreboard_grows_to_the_highest_slot_used_and_no_further(void **state)
{
    struct scoreboard *board = *state;

    scoreboard_use(board, 1);
    assert_int_equal(scoreboard_size(board), SLOTS);
    metrics_add(metrics_of(board, 4), METRIC_items, 9);
    assert_int_equal(sum_of(board, METRIC_items), 0);
    scoreboard_use(board, 4);
    assert_int_equal(scoreboard_size(board), CAPACITY);
    assert_int_equal(sum_of(board, METRIC_items), 9);
}

static void
scoreboard_outlives_its_mapping_through_the_descriptor(void **state)
{
    struct scoreboard *board = *state, *again;
    int fd = dup(scoreboard_fd(board));

    metrics_add(metrics_of(board, 1), METRIC_items, 7);
    metrics_add(metrics_of(board, 0), METRIC_items, 5);
    scoreboard_fold(board, 0);
    assert_null(scoreboard_adopt(fd, CAPACITY + 1)); /* another program's */
    assert_non_null(again = scoreboard_adopt(fd, CAPACITY));
    assert_int_equal(scoreboard_size(again), SLOTS);
    assert_int_equal(sum_of(again, METRIC_items), 12);
    metrics_add(metrics_of(again, 1), METRIC_items, 1);
    assert_int_equal(sum_of(board, METRIC_items), 13);
    scoreboard_free(&again);
}

static void
scoreboard_adopts_no_strangers_memory(void **state)
{
    struct scoreboard *board = *state;
    size_t bytes = (size_t)lseek(scoreboard_fd(board), 0, SEEK_END);
    int fd = memfd_create("stranger", 0);

    assert_null(scoreboard_adopt(fd, CAPACITY));
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_null(scoreboard_adopt(fd, CAPACITY)); /* the right size, no stamp */
    assert_int_not_equal(ftruncate(scoreboard_fd(board), 0), 0); /* sealed */
    close(fd);
}

/* A worker gone wild may write anything anywhere in the mapping. */
static void
scoreboard_stays_within_its_bounds_when_it_was_scribbled_over(void **state)
{
    struct scoreboard *board = *state;
    size_t bytes = (size_t)lseek(scoreboard_fd(board), 0, SEEK_END);
    char *wild = mmap(NULL, bytes, PROT_WRITE, MAP_SHARED, scoreboard_fd(board), 0);
    struct buf text = BUF_INIT;

    assert_ptr_not_equal(wild, MAP_FAILED);
    memset(wild, 0xff, bytes);
    assert_int_equal(scoreboard_size(board), CAPACITY);
    scoreboard_fold(board, 0);
    slot_claim(scoreboard_slot(board, 0), 100, 5000);
    assert_int_equal(slot_state(scoreboard_slot(board, 0)), SLOT_STARTING);
    assert_int_equal(slot_state(scoreboard_slot(board, 1)), SLOT_EMPTY);
    scoreboard_print_stats(board, clock_now(), &text);
    scoreboard_print_workers(board, clock_now(), &text);
    assert_true(buf_size(&text) > 0);
    buf_fini(&text);
    munmap(wild, bytes);
}

static void
scoreboard_sums_all_slots(void **state)
{
    struct scoreboard *board = *state;
    size_t i;

    for (i = 0; i < SLOTS; i++) {
        metrics_add(metrics_of(board, i), METRIC_items, 100 + i);
        metrics_add(metrics_of(board, i), METRIC_curr_connections, 10);
        metrics_sub(metrics_of(board, i), METRIC_curr_connections, i);
    }
    assert_int_equal(sum_of(board, METRIC_items), 303);
    assert_int_equal(sum_of(board, METRIC_curr_connections), 27);
    assert_int_equal(sum_of(board, METRIC_misses), 0);
    assert_int_equal(slot_connections(scoreboard_slot(board, 2)), 8);
}

static void
scoreboard_fold_keeps_counters_and_drops_gauges(void **state)
{
    struct scoreboard *board = *state;
    uint64_t before[METRIC_COUNT], after[METRIC_COUNT];
    size_t i;

    slot_claim(scoreboard_slot(board, 1), 4242, clock_now());
    for (i = 0; i < METRIC_COUNT; i++) {
        metrics_add(metrics_of(board, 0), (enum metric)i, 1000 + i);
        metrics_add(metrics_of(board, 1), (enum metric)i, 7);
    }
    scoreboard_sum(board, before);
    scoreboard_fold(board, 1);
    scoreboard_sum(board, after);
    for (i = 0; i < METRIC_COUNT; i++) {
        bool gauge = metric_infos[i].kind == METRIC_KIND_GAUGE;
        bool peak = metric_infos[i].kind == METRIC_KIND_PEAK;

        assert_int_equal(before[i], peak ? 1000 + i : 1007 + i);
        assert_int_equal(after[i], before[i] - (gauge ? 7 : 0));
        assert_int_equal(metrics_get(metrics_of(board, 1), (enum metric)i), 0);
    }
    assert_int_equal(slot_state(scoreboard_slot(board, 1)), SLOT_EMPTY);
    scoreboard_fold(board, 1); /* an empty slot adds nothing */
    scoreboard_fold(board, 0);
    assert_int_equal(sum_of(board, METRIC_items), 1007 + METRIC_items);
    assert_int_equal(sum_of(board, METRIC_curr_connections), 0);
}

static void
scoreboard_keeps_the_highest_peak_of_the_living_and_the_dead(void **state)
{
    struct scoreboard *board = *state;

    metrics_peak(metrics_of(board, 0), METRIC_deadline_late_max_us, 70);
    metrics_peak(metrics_of(board, 0), METRIC_deadline_late_max_us, 50);
    metrics_peak(metrics_of(board, 1), METRIC_deadline_late_max_us, 60);
    assert_int_equal(sum_of(board, METRIC_deadline_late_max_us), 70);
    scoreboard_fold(board, 0);
    assert_int_equal(sum_of(board, METRIC_deadline_late_max_us), 70);
    metrics_peak(metrics_of(board, 1), METRIC_deadline_late_max_us, 80);
    scoreboard_fold(board, 1);
    assert_int_equal(sum_of(board, METRIC_deadline_late_max_us), 80);
}

static void
scoreboard_slot_can_be_claimed_again_after_a_fold(void **state)
{
    struct scoreboard *board = *state;
    struct scoreboard_slot *slot = scoreboard_slot(board, 0);

    slot_claim(slot, 100, 5000);
    assert_int_equal(slot_state(slot), SLOT_STARTING);
    assert_int_equal(slot_heartbeat(slot), 5000);
    slot_set_state(slot, SLOT_READY);
    assert_int_equal(slot_state(slot), SLOT_READY);
    slot_beat(slot, 6000);
    assert_int_equal(slot_heartbeat(slot), 6000);
    metrics_add(slot_metrics(slot), METRIC_requests, 5);
    scoreboard_fold(board, 0);
    slot_claim(slot, 101, 9000);
    assert_int_equal(slot_state(slot), SLOT_STARTING);
    metrics_add(slot_metrics(slot), METRIC_requests, 2);
    assert_int_equal(sum_of(board, METRIC_requests), 7);
}

static void
scoreboard_does_not_trust_a_state_from_shared_memory(void **state)
{
    struct scoreboard_slot *slot = scoreboard_slot(*state, 0);

    slot_set_state(slot, (enum slot_state)77);
    assert_int_equal(slot_state(slot), SLOT_EMPTY);
}

/* --- text forms --------------------------------------------------------------------- */

/* The value on the line "STAT <name> ". */
static const char *
stat_value(const struct buf *text, const char *name)
{
    static char value[64];
    char line[80];
    const char *at;

    snprintf(line, sizeof(line), "STAT %s ", name);
    at = strstr(text->data, line);
    assert_non_null(at);
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static void
scoreboard_prints_a_line_for_every_metric(void **state)
{
    struct scoreboard *board = *state;
    struct buf text = BUF_INIT;
    size_t i, lines = 0;
    const char *p;
    char pid[16];

    slot_claim(scoreboard_slot(board, 0), 100, clock_now());
    slot_claim(scoreboard_slot(board, 2), 102, clock_now());
    slot_set_state(scoreboard_slot(board, 2), SLOT_READY);
    for (i = 0; i < METRIC_COUNT; i++)
        metrics_set(metrics_of(board, 0), (enum metric)i, 1000 + i);
    scoreboard_count_death(board);
    scoreboard_count_death(board);
    scoreboard_set_queue(board, 7, 511);
    scoreboard_print_stats(board, clock_now() + 90 * USEC_PER_SEC, &text);
    buf_append_char(&text, '\0');
    for (i = 0; i < METRIC_COUNT; i++)
        assert_int_equal(strtoull(stat_value(&text, metric_infos[i].name), NULL, 10),
                         1000 + i);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_string_equal(stat_value(&text, "pid"), pid);
    assert_string_equal(stat_value(&text, "uptime"), "90");
    assert_string_equal(stat_value(&text, "version"), FETCHD_VERSION);
    assert_string_equal(stat_value(&text, "workers"), "2");
    assert_string_equal(stat_value(&text, "workers_ready"), "1");
    assert_string_equal(stat_value(&text, "worker_deaths"), "2");
    assert_string_equal(stat_value(&text, "listen_queue"), "7");
    assert_string_equal(stat_value(&text, "listen_queue_max"), "511");
    assert_string_equal(stat_value(&text, "threads"), "2");
    assert_string_equal(stat_value(&text, "cmd_set"), "0");
    assert_int_equal(strtoull(stat_value(&text, "get_misses"), NULL, 10),
                     2000 + METRIC_misses + METRIC_failures);
    for (p = text.data; (p = strstr(p, "\r\n")) != NULL; p += 2) {
        lines++;
        assert_true(p[2] == '\0' || strncmp(p + 2, "STAT ", 5) == 0);
    }
    assert_int_equal(lines, METRIC_COUNT + 35); /* each name once */
    buf_fini(&text);
}

static void
scoreboard_is_alive_while_one_heart_beats(void **state)
{
    struct scoreboard *board = *state;

    assert_false(scoreboard_alive(board, 10 * USEC_PER_SEC, USEC_PER_SEC));
    slot_claim(scoreboard_slot(board, 0), 1, 10 * USEC_PER_SEC);
    assert_false(scoreboard_alive(board, 10 * USEC_PER_SEC, USEC_PER_SEC));
    slot_set_state(scoreboard_slot(board, 0), SLOT_READY);
    assert_true(scoreboard_alive(board, 10 * USEC_PER_SEC, USEC_PER_SEC));
    assert_true(scoreboard_alive(board, 9 * USEC_PER_SEC, USEC_PER_SEC));
    assert_false(scoreboard_alive(board, 11 * USEC_PER_SEC, USEC_PER_SEC));
}

static void
scoreboard_prints_a_line_for_every_living_worker(void **state)
{
    struct scoreboard *board = *state;
    struct buf text = BUF_INIT;

    scoreboard_print_workers(board, USEC_PER_SEC, &text);
    assert_int_equal(buf_size(&text), 0);
    slot_claim(scoreboard_slot(board, 1), 4242, 10 * USEC_PER_SEC);
    slot_set_state(scoreboard_slot(board, 1), SLOT_READY);
    slot_beat(scoreboard_slot(board, 1), 99750 * USEC_PER_MSEC);
    metrics_set(metrics_of(board, 1), METRIC_curr_connections, 3);
    metrics_set(metrics_of(board, 1), METRIC_requests, 12345);
    slot_claim(scoreboard_slot(board, 2), 4243, 95 * USEC_PER_SEC);
    slot_set_state(scoreboard_slot(board, 2), SLOT_DRAINING);
    slot_beat(scoreboard_slot(board, 2), 101 * USEC_PER_SEC); /* after 'now' */
    scoreboard_print_workers(board, 100 * USEC_PER_SEC, &text);
    buf_append_char(&text, '\0');
    assert_string_equal(text.data,
                        "WORKER 1 pid=4242 state=ready connections=3 requests=12345 "
                        "uptime_s=90 heartbeat_ms=250\r\n"
                        "WORKER 2 pid=4243 state=draining connections=0 requests=0 "
                        "uptime_s=5 heartbeat_ms=0\r\n");
    buf_fini(&text);
}

static void
scoreboard_prints_no_age_for_a_worker_born_after_now(void **state)
{
    struct scoreboard *board = *state;
    struct buf text = BUF_INIT;

    slot_claim(scoreboard_slot(board, 0), 4242, 10 * USEC_PER_SEC + 1);
    scoreboard_print_workers(board, 10 * USEC_PER_SEC, &text);
    buf_append_char(&text, '\0');
    assert_string_equal(text.data, "WORKER 0 pid=4242 state=starting connections=0 "
                                   "requests=0 uptime_s=0 heartbeat_ms=0\r\n");
    buf_fini(&text);
}

/* --- shared by processes -------------------------------------------------------------- */

#define ADDITIONS 200000u

static void
count_and_exit(struct scoreboard *board, size_t slot)
{
    struct metrics *m = metrics_of(board, slot);
    unsigned i;

    slot_claim(scoreboard_slot(board, slot), (int)getpid(), clock_now());
    for (i = 0; i < ADDITIONS; i++) {
        metrics_add(m, METRIC_items, 1);
        metrics_add(m, METRIC_curr_connections, 1);
        metrics_sub(m, METRIC_curr_connections, 1);
    }
    metrics_add(m, METRIC_curr_connections, 5); /* dies with them open */
    _exit(0);
}

static void
scoreboard_is_read_while_a_child_writes(void **state)
{
    struct scoreboard *board = *state;
    uint64_t last = 0, now;
    int status;
    pid_t pid;

    metrics_add(metrics_of(board, 0), METRIC_items, 1);
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0)
        count_and_exit(board, 1);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        now = sum_of(board, METRIC_items);
        assert_in_range(now, last, ADDITIONS + 1);
        last = now;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(sum_of(board, METRIC_items), ADDITIONS + 1);
    assert_int_equal(sum_of(board, METRIC_curr_connections), 5);
    scoreboard_fold(board, 1);
    assert_int_equal(sum_of(board, METRIC_items), ADDITIONS + 1);
    assert_int_equal(sum_of(board, METRIC_curr_connections), 0);
}

int
main(void)
{
#define BOARD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        BOARD_TEST(scoreboard_begins_empty),
        BOARD_TEST(scoreboard_grows_to_the_highest_slot_used_and_no_further),
        BOARD_TEST(scoreboard_outlives_its_mapping_through_the_descriptor),
        BOARD_TEST(scoreboard_adopts_no_strangers_memory),
        BOARD_TEST(scoreboard_stays_within_its_bounds_when_it_was_scribbled_over),
        BOARD_TEST(scoreboard_sums_all_slots),
        BOARD_TEST(scoreboard_fold_keeps_counters_and_drops_gauges),
        BOARD_TEST(scoreboard_keeps_the_highest_peak_of_the_living_and_the_dead),
        BOARD_TEST(scoreboard_slot_can_be_claimed_again_after_a_fold),
        BOARD_TEST(scoreboard_does_not_trust_a_state_from_shared_memory),
        BOARD_TEST(scoreboard_prints_a_line_for_every_metric),
        BOARD_TEST(scoreboard_is_alive_while_one_heart_beats),
        BOARD_TEST(scoreboard_prints_a_line_for_every_living_worker),
        BOARD_TEST(scoreboard_prints_no_age_for_a_worker_born_after_now),
        BOARD_TEST(scoreboard_is_read_while_a_child_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
