/*
 * loadgen.c - the load generator: arguments, one run, a report.
 *
 *     loadgen fill        makes the load table (row.h) in a MariaDB
 *     loadgen fetch       closed loop against fetchd, every reply checked
 *     loadgen one-by-one  the same ids straight from MariaDB, one statement each
 *
 * Exit: 0 all answers right; 1 something wrong or lost, or nothing answered;
 * 64 usage.
 */
#include "common/compiler.h"
#include "tests/load/database.h"
#include "tests/load/fetch.h"
#include "tests/load/report.h"
#include "tests/load/row.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define EXIT_USAGE 64

enum option_type {
    OPTION_TEXT,
    OPTION_UNSIGNED,
    OPTION_U32,
    OPTION_U64,
    OPTION_SECONDS,
    OPTION_VERIFY,
    OPTION_FLAG,
};

#define FIELD(f) offsetof(struct plan, f)

static const struct {
    const char *name;
    enum option_type type;
    size_t field;
    const char *help;
} options[] = {
    { "address", OPTION_TEXT, FIELD(address), "fetchd's HOST:PORT or unix:PATH" },
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
    { "seed", OPTION_U64, FIELD(seed), "of the random ids (1)" },
    { "seconds", OPTION_SECONDS, FIELD(duration), "measured time (3)" },
    { "requests", OPTION_U64, FIELD(requests),
      "stop after so many requests (0: no bound but the time)" },
    { "verify", OPTION_VERIFY, FIELD(verify),
      "all | sample | keys | none (all; other tables: keys)" },
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

    fputs("usage: loadgen fetch | one-by-one | fill [options]\n", to);
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
    case OPTION_VERIFY:
        return parse_verify(text, field);
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    }
    return false;
}

/* What must be given depends on the mode. */
static const char *
plan_check(struct plan *plan)
{
    if (plan->range == 0)
        plan->range = plan->rows;
    if (strcmp(plan->mode, "fetch") == 0) {
        if (plan->address == NULL)
            return "--address is needed";
    } else if (strcmp(plan->mode, "one-by-one") == 0 || strcmp(plan->mode, "fill") == 0) {
        if (plan->socket == NULL && plan->port == 0)
            return "--socket or --port is needed";
    } else {
        return "no such mode";
    }
    return plan->ids > plan->range ? "more ids than the range holds" : NULL;
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
    if (c != -1 || optind + 1 != argc)
        return false;
    plan->mode = argv[optind];
    if ((why = plan_check(plan)) != NULL) {
        fprintf(stderr, "loadgen: %s\n", why);
        return false;
    }
    return true;
}

static usec_t
cpu_used(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return (usec_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * USEC_PER_SEC +
           (usec_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static int
measure(const struct plan *plan)
{
    struct tally *t = calloc(1, sizeof(*t));
    usec_t elapsed = 0;
    int result, status = 1;

    if (t == NULL)
        return 1;
    result = strcmp(plan->mode, "fetch") == 0 ? fetch_run(plan, t, &elapsed)
                                              : pool_run(plan, t, &elapsed);
    if (result == 0) {
        report_print(plan, t, elapsed, cpu_used());
        if (t->wrong == 0 && t->all_requests > 0 && (t->lost == 0 || plan->reconnect))
            status = 0;
    }
    free(t);
    return status;
}

int
main(int argc, char **argv)
{
    struct plan plan = {
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
    if (strcmp(plan.mode, "fill") == 0)
        status = database_fill(&plan) == 0 ? 0 : 1;
    else
        status = measure(&plan);
    mysql_library_end();
    return status;
}
