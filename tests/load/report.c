/*
 * report.c - a run in words, or in JSON.
 *
 * Names and units are the same in both forms; scripts/load-test reads the JSON.
 */
#include "tests/load/report.h"

#include "common/buf.h"
#include "common/compiler.h"
#include "tests/load/dialect.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *name;
    double share;
} quantiles[] = {
    { "p50", 0.5 },
    { "p90", 0.9 },
    { "p99", 0.99 },
    { "p99.9", 0.999 },
};

static const char *
plan_mode_name(const struct plan *plan)
{
    return plan->mode == MODE_FETCH ? plan->dialect->name : "one-by-one";
}

static double
per_second(uint64_t count, usec_t elapsed)
{
    return elapsed == 0 ? 0 : (double)count * 1e6 / (double)elapsed;
}

/* The counts that are not zero, by name. */
static void
append_counts(struct buf *out, const char *const *names, const uint64_t *counts, size_t n,
              bool json)
{
    const char *glue = "";
    size_t i;

    for (i = 0; i < n; i++) {
        if (counts[i] == 0)
            continue;
        if (json)
            buf_append_fmt(out, "%s\"%s\":%" PRIu64, glue, names[i], counts[i]);
        else
            buf_append_fmt(out, "%s%s %" PRIu64, glue, names[i], counts[i]);
        glue = json ? "," : ", ";
    }
}

static void
append_json(struct buf *out, const struct plan *plan, const struct tally *t)
{
    size_t i;

    buf_append_fmt(out,
                   "{\"mode\":\"%s\",\"connections\":%u,\"ids\":%u,\"pipeline\":%u,"
                   "\"seconds\":%.6f,\"requests\":%" PRIu64 ",\"items\":%" PRIu64
                   ",\"misses\":%" PRIu64
                   ",\"requests_per_s\":%.1f,\"items_per_s\":%.1f,",
                   plan_mode_name(plan), plan->connections, plan->ids, plan->pipeline,
                   (double)t->elapsed / 1e6, t->requests, t->items, t->misses,
                   per_second(t->requests, t->elapsed), per_second(t->items, t->elapsed));
    BUF_APPEND_LIT(out, "\"latency_us\":{");
    for (i = 0; i < ARRAY_LEN(quantiles); i++)
        buf_append_fmt(out, "\"%s\":%" PRIu64 ",", quantiles[i].name,
                       histogram_quantile(&t->latency_us, quantiles[i].share));
    buf_append_fmt(out, "\"max\":%" PRIu64 "},\"failures\":%" PRIu64 ",\"fail\":{",
                   t->latency_us.max, tally_failures(t));
    append_counts(out, tally_fail_names, t->fail, TALLY_FAIL_CODES, true);
    buf_append_fmt(out, "},\"errors\":%" PRIu64 ",\"error\":{", tally_errors(t));
    append_counts(out, tally_error_names, t->error, TALLY_ERROR_CODES, true);
    buf_append_fmt(out,
                   "},\"all_requests\":%" PRIu64 ",\"all_items\":%" PRIu64
                   ",\"exact\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"lost\":%" PRIu64
                   ",\"disconnects\":%" PRIu64 ",\"cpu_s\":%.6f}\n",
                   t->all_requests, t->all_items, t->exact, t->wrong, t->lost,
                   t->disconnects, (double)t->cpu / 1e6);
}

static void
append_text(struct buf *out, const struct plan *plan, const struct tally *t)
{
    size_t i;

    buf_append_fmt(out,
                   "%s: %u connections, %u ids a request, pipeline %u, %.2f s\n"
                   "requests/s  %.0f\nitems/s     %.0f\nmisses      %" PRIu64
                   "\nlatency us ",
                   plan_mode_name(plan), plan->connections, plan->ids, plan->pipeline,
                   (double)t->elapsed / 1e6, per_second(t->requests, t->elapsed),
                   per_second(t->items, t->elapsed), t->misses);
    for (i = 0; i < ARRAY_LEN(quantiles); i++)
        buf_append_fmt(out, " %s %" PRIu64, quantiles[i].name,
                       histogram_quantile(&t->latency_us, quantiles[i].share));
    buf_append_fmt(out, " max %" PRIu64 "\nfailures    %" PRIu64 " ", t->latency_us.max,
                   tally_failures(t));
    append_counts(out, tally_fail_names, t->fail, TALLY_FAIL_CODES, false);
    buf_append_fmt(out, "\nerrors      %" PRIu64 " ", tally_errors(t));
    append_counts(out, tally_error_names, t->error, TALLY_ERROR_CODES, false);
    buf_append_fmt(out,
                   "\nchecked     %" PRIu64 " items byte for byte, wrong %" PRIu64
                   ", lost %" PRIu64 ", disconnects %" PRIu64 "\ncpu s       %.2f\n",
                   t->exact, t->wrong, t->lost, t->disconnects, (double)t->cpu / 1e6);
}

void
report_print(const struct plan *plan, const struct tally *t)
{
    struct buf out = BUF_INIT;

    if (plan->json)
        append_json(&out, plan, t);
    else
        append_text(&out, plan, t);
    if (!buf_failed(&out))
        fwrite(out.data, 1, buf_size(&out), stdout);
    buf_fini(&out);
}
