/*
 * loadgen.c - the load generator: arguments, one run, a report.
 *
 *     loadgen fill        makes the load table (row.h) in a MariaDB
 *     loadgen store       stores its items in a memcached or a Redis
 *     loadgen fetch       asks a server that holds it, every reply checked
 *     loadgen one-by-one  asks MariaDB for the same ids, one statement each
 *     loadgen echo        is the server that looks nothing up
 *
 * Exit: 0 all answers right; 1 something wrong or lost, or nothing answered;
 * 64 usage.
 */
#include "common/compiler.h"
#include "tests/load/database.h"
#include "tests/load/dialect.h"
#include "tests/load/echo.h"
#include "tests/load/fetch.h"
#include "tests/load/report.h"
#include "tests/load/row.h"
#include "tests/load/store.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 64
#define SWEEP_MOST (600 * USEC_PER_SEC)

static const struct {
    const char *name;
    enum plan_mode mode;
} modes[] = {
    { "fetch", MODE_FETCH }, { "one-by-one", MODE_ONE_BY_ONE },
    { "fill", MODE_FILL },   { "store", MODE_STORE },
    { "echo", MODE_ECHO },
};

enum option_type {
    OPTION_TEXT,
    OPTION_UNSIGNED,
    OPTION_U32,
    OPTION_U64,
    OPTION_SECONDS,
    OPTION_NUMBER, /* with a fraction */
    OPTION_VERIFY,
    OPTION_DIALECT,
    OPTION_FLAG,
};

#define FIELD(f) offsetof(struct plan, f)

static const struct {
    const char *name;
    enum option_type type;
    size_t field;
    const char *help;
} options[] = {
    { "address", OPTION_TEXT, FIELD(address), "the server's HOST:PORT or unix:PATH" },
    { "dialect", OPTION_DIALECT, FIELD(dialect),
      "native | memcached | resp | echo (native)" },
    { "connections", OPTION_UNSIGNED, FIELD(connections),
      "connections, or clients of one-by-one (32)" },
    { "ids", OPTION_UNSIGNED, FIELD(ids), "distinct ids in one request (10)" },
    { "pipeline", OPTION_UNSIGNED, FIELD(pipeline),
      "requests in flight on a connection (1)" },
    { "threads", OPTION_UNSIGNED, FIELD(threads),
      "threads of one-by-one, a connection each (8)" },
    { "rows", OPTION_U32, FIELD(rows), "the table holds the ids 1..ROWS (20000)" },
    { "range", OPTION_U32, FIELD(range),
      "ids are drawn from 1..RANGE (ROWS); above ROWS must miss" },
    { "zipf", OPTION_NUMBER, FIELD(zipf),
      "popularity falls with rank to this power (0: all alike)" },
    { "hits", OPTION_NUMBER, FIELD(hits),
      "the share of ids that exist, 0 to 1 (1); the others are above ROWS" },
    { "rate", OPTION_NUMBER, FIELD(rate),
      "open loop: requests a second, latency from when each was due" },
    { "sweep", OPTION_FLAG, FIELD(sweep), "every id once, in order, instead of a time" },
    { "seed", OPTION_U64, FIELD(seed), "of the random ids (1)" },
    { "seconds", OPTION_SECONDS, FIELD(duration), "measured time (3)" },
    { "requests", OPTION_U64, FIELD(requests),
      "stop after so many requests (0: no bound but the time)" },
    { "verify", OPTION_VERIFY, FIELD(verify),
      "all | sample | keys | none (all: every byte; other tables: keys)" },
    { "reconnect", OPTION_FLAG, FIELD(reconnect),
      "open lost connections again; lost requests are no error" },
    { "json", OPTION_FLAG, FIELD(json), "print one line of JSON" },
    { "socket", OPTION_TEXT, FIELD(socket), "MariaDB's unix socket" },
    { "port", OPTION_UNSIGNED, FIELD(port), "or its port on 127.0.0.1" },
    { "schema", OPTION_TEXT, FIELD(schema), "schema of the table (load)" },
    { "table", OPTION_TEXT, FIELD(table), "table (items)" },
    { "key", OPTION_TEXT, FIELD(key), "its key column (id)" },
    { "user", OPTION_TEXT, FIELD(user), "database user (root)" },
};

static const struct {
    const char *name;
    enum plan_verify verify;
} verify_names[] = {
    { "all", VERIFY_ALL },
    { "sample", VERIFY_SAMPLE },
    { "keys", VERIFY_KEYS },
    { "none", VERIFY_NONE },
};

static void
usage(FILE *to)
{
    size_t i;

    fputs("usage: loadgen", to);
    for (i = 0; i < ARRAY_LEN(modes); i++)
        fprintf(to, "%s %s", i == 0 ? "" : " |", modes[i].name);
    fputs(" [options]\n", to);
    for (i = 0; i < ARRAY_LEN(options); i++)
        fprintf(to, "  --%-12s %s\n", options[i].name, options[i].help);
}

static bool
parse_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out <= max;
}

static bool
parse_seconds(const char *text, usec_t *out)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0 && seconds <= 86400))
        return false;
    *out = (usec_t)(seconds * 1e6);
    return true;
}

static bool
parse_fraction(const char *text, double *out)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= 1e9;
}

static bool
parse_verify(const char *text, enum plan_verify *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(verify_names); i++) {
        if (strcmp(text, verify_names[i].name) == 0) {
            *out = verify_names[i].verify;
            return true;
        }
    }
    return false;
}

static bool
option_set(struct plan *plan, size_t i, const char *text)
{
    void *field = (char *)plan + options[i].field;
    uint64_t v;

    switch (options[i].type) {
    case OPTION_TEXT:
        *(const char **)field = text;
        return true;
    case OPTION_UNSIGNED:
        if (!parse_number(text, 100000, &v) || v == 0)
            return false;
        *(unsigned *)field = (unsigned)v;
        return true;
    case OPTION_U32:
        if (!parse_number(text, UINT32_MAX, &v) || v == 0)
            return false;
        *(uint32_t *)field = (uint32_t)v;
        return true;
    case OPTION_U64:
        return parse_number(text, UINT64_MAX, field);
    case OPTION_SECONDS:
        return parse_seconds(text, field);
    case OPTION_NUMBER:
        return parse_fraction(text, field);
    case OPTION_VERIFY:
        return parse_verify(text, field);
    case OPTION_DIALECT:
        *(const struct dialect **)field = dialect_find(text);
        return dialect_find(text) != NULL;
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    }
    return false;
}

/* What must be given depends on the mode. */
static const char *
plan_check_mode(const struct plan *plan)
{
    switch (plan->mode) {
    case MODE_FETCH:
    case MODE_ECHO:
        return plan->address == NULL ? "--address is needed" : NULL;
    case MODE_STORE:
        if (plan->dialect->store == NULL)
            return "--dialect memcached or resp is needed";
        return plan->address == NULL ? "--address is needed" : NULL;
    case MODE_ONE_BY_ONE:
        if (plan->rate > 0 || plan->sweep)
            return "one-by-one knows neither --rate nor --sweep";
        break;
    case MODE_FILL:
        break;
    }
    return plan->socket == NULL && plan->port == 0 ? "--socket or --port is needed"
                                                   : NULL;
}

static const char *
plan_check(struct plan *plan)
{
    if (plan->range == 0)
        plan->range = plan->rows;
    if (plan->sweep)
        plan->duration = SWEEP_MOST;
    if (plan->hits > 1)
        return "--hits is a share, at most 1";
    if (plan->hits < 1 && plan->range > plan->rows)
        return "--hits needs --range to be at most --rows";
    if (plan->zipf > 10)
        return "--zipf is at most 10";
    if (plan->ids > plan->range)
        return "more ids than the range holds";
    return plan_check_mode(plan);
}

static bool
plan_find_mode(struct plan *plan, const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(modes[i].name, name) != 0)
            continue;
        plan->mode = modes[i].mode;
        return true;
    }
    return false;
}

/* Returns false, with the reason on stderr, when the arguments make no plan. */
static bool
plan_parse(struct plan *plan, int argc, char **argv)
{
    struct option longs[ARRAY_LEN(options) + 1] = { 0 };
    const char *why;
    size_t i;
    int c, at = 0;

    for (i = 0; i < ARRAY_LEN(options); i++) {
        longs[i].name = options[i].name;
        longs[i].has_arg =
            options[i].type == OPTION_FLAG ? no_argument : required_argument;
    }
    while ((c = getopt_long(argc, argv, "", longs, &at)) == 0) {
        if (!option_set(plan, (size_t)at, optarg)) {
            fprintf(stderr, "loadgen: --%s: not understood: %s\n", options[at].name,
                    optarg);
            return false;
        }
    }
    if (c != -1 || optind + 1 != argc || !plan_find_mode(plan, argv[optind]))
        return false;
    if ((why = plan_check(plan)) != NULL) {
        fprintf(stderr, "loadgen: %s\n", why);
        return false;
    }
    return true;
}

static int
measure(const struct plan *plan)
{
    struct tally *t = calloc(1, sizeof(*t));
    int result, status = 1;

    if (t == NULL)
        return 1;
    result = plan->mode == MODE_FETCH ? fetch_run(plan, t) : pool_run(plan, t);
    if (result == 0) {
        report_print(plan, t);
        if (t->wrong == 0 && t->all_requests > 0 && (t->lost == 0 || plan->reconnect))
            status = 0;
    }
    free(t);
    return status;
}

static int
run(const struct plan *plan)
{
    switch (plan->mode) {
    case MODE_FETCH:
    case MODE_ONE_BY_ONE:
        return measure(plan);
    case MODE_FILL:
        return database_fill(plan) == 0 ? 0 : 1;
    case MODE_STORE:
        return store_run(plan) == 0 ? 0 : 1;
    case MODE_ECHO:
        return echo_run(plan) == 0 ? 0 : 1;
    }
    return 1;
}

int
main(int argc, char **argv)
{
    struct plan plan = {
        .dialect = &dialect_native,
        .hits = 1,
        .connections = 32,
        .ids = 10,
        .pipeline = 1,
        .threads = 8,
        .rows = 20000,
        .seed = 1,
        .duration = 3 * USEC_PER_SEC,
        .schema = "load",
        .table = "items",
        .key = "id",
        .user = "root",
    };
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return 0;
    }
    if (!plan_parse(&plan, argc, argv)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    row_init();
    mysql_library_init(0, NULL, NULL);
    status = run(&plan);
    mysql_library_end();
    return status;
}
