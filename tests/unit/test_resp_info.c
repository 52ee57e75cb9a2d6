/*
 * test_resp_info.c - INFO holds every figure, in sections that can be chosen.
 */
#include "server/stats/scoreboard.h"
#include "tests/unit/resp_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct scoreboard *board;
    struct resp_driver d;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    size_t i;

    assert_non_null(f);
    assert_non_null(f->board = scoreboard_new(2));
    scoreboard_use(f->board, 1);
    for (i = 0; i < METRIC_COUNT; i++)
        metrics_set(slot_metrics(scoreboard_slot(f->board, 1)), (enum metric)i, 1000 + i);
    resp_driver_init(&f->d, 1000, 10);
    f->d.answers = true;
    f->d.board = f->board;
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    conversation_fini(&f->d.talk);
    scoreboard_free(&f->board);
    free(f);
    return 0;
}

static const char *
info(void **state, const char *request)
{
    struct fixture *f = *state;

    buf_clear(&f->d.talk.said);
    conversation_feed(&f->d.talk, span_str(request));
    return conversation_said(&f->d.talk);
}

static void
resp_info_holds_every_metric(void **state)
{
    const char *text = info(state, "INFO fetchd\n");
    char line[128];
    size_t i;

    assert_non_null(strstr(text, "# Fetchd\r\n"));
    for (i = 0; i < METRIC_COUNT; i++) {
        snprintf(line, sizeof(line), "\r\n%s:%zu\r\n", metric_infos[i].name, 1000 + i);
        assert_non_null(strstr(text, line));
    }
}

static void
resp_info_uses_redis_names(void **state)
{
    static const struct {
        const char *name;
        enum metric metric;
    } names[] = {
        { "connected_clients", METRIC_curr_connections },
        { "total_connections_received", METRIC_total_connections },
        { "total_commands_processed", METRIC_commands },
        { "keyspace_hits", METRIC_items },
        { "keyspace_misses", METRIC_misses },
        { "total_net_input_bytes", METRIC_bytes_read },
        { "total_net_output_bytes", METRIC_bytes_written },
        { "total_error_replies", METRIC_protocol_errors },
    };
    const char *text = info(state, "INFO\n");
    char line[128];
    size_t i;

    assert_int_equal(text[0], '$');
    assert_int_equal(atol(text + 1), strlen(strchr(text, '\n') + 1) - 2);
    for (i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(line, sizeof(line), "\r\n%s:%d\r\n", names[i].name,
                 1000 + (int)names[i].metric);
        assert_non_null(strstr(text, line));
    }
    assert_non_null(
        strstr(text, "\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"));
    assert_non_null(strstr(text, "\r\nmaxclients:1000\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n# Persistence\r\nloading:0\r\n"));
    assert_non_null(strstr(text, "\r\nrole:slave\r\n"));
    assert_non_null(strstr(text, "\r\nuptime_in_seconds:0\r\n"));
}

static void
resp_info_gives_the_sections_asked_for(void **state)
{
    const char *text = info(state, "INFO REPLICATION clients\n");

    assert_non_null(strstr(text, "\r\n# Clients\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n# Replication\r\n"));
    assert_null(strstr(text, "# Server"));
    assert_string_equal(info(state, "INFO nosuch\n"), "$0\r\n\r\n");
    assert_non_null(strstr(info(state, "INFO nosuch ALL\n"), "# Fetchd\r\n"));
    assert_non_null(strstr(info(state, "INFO default\n"), "# Fetchd\r\n"));
    assert_non_null(
        strstr(info(state, "HELLO 3\nINFO clients\n"), "\r\ntxt:# Clients\r\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(resp_info_holds_every_metric),
        TEST(resp_info_uses_redis_names),
        TEST(resp_info_gives_the_sections_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
