/*
 * tally.c - what a run has seen.
 */
#include "tests/load/tally.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define EXPLAINED_MAX 5

const char *const tally_fail_names[TALLY_FAIL_CODES] = {
    "timeout", "database", "upstream", "overload", "badid", "toobig", "stale", "other",
};

const char *const tally_error_names[TALLY_ERROR_CODES] = {
    "syntax", "option", "toomany", "toolong", "auth", "busy", "other",
};

usec_t
tally_cpu_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

void
tally_item(struct tally *t)
{
    t->all_items++;
    if (!t->frozen)
        t->items++;
}

void
tally_miss(struct tally *t)
{
    if (!t->frozen)
        t->misses++;
}

static size_t
find_code(const char *const *names, size_t n, struct span code)
{
    size_t i;

    for (i = 0; i < n - 1; i++) {
        if (span_equal(code, span_str(names[i])))
            return i;
    }
    return n - 1;
}

void
tally_fail(struct tally *t, struct span code)
{
    t->fail[find_code(tally_fail_names, TALLY_FAIL_CODES, code)]++;
}

void
tally_error(struct tally *t, struct span code)
{
    t->error[find_code(tally_error_names, TALLY_ERROR_CODES, code)]++;
}

void
tally_request(struct tally *t, usec_t took)
{
    t->all_requests++;
    if (t->frozen)
        return;
    t->requests++;
    histogram_add(&t->latency_us, took);
}

void
tally_wrong(struct tally *t, const char *fmt, ...)
{
    va_list ap;

    if (t->wrong++ >= EXPLAINED_MAX)
        return;
    fputs("loadgen: wrong: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void
tally_merge(struct tally *into, const struct tally *from)
{
    size_t i;

    into->requests += from->requests;
    into->items += from->items;
    into->misses += from->misses;
    histogram_merge(&into->latency_us, &from->latency_us);
    into->all_requests += from->all_requests;
    into->all_items += from->all_items;
    for (i = 0; i < TALLY_FAIL_CODES; i++)
        into->fail[i] += from->fail[i];
    for (i = 0; i < TALLY_ERROR_CODES; i++)
        into->error[i] += from->error[i];
    into->exact += from->exact;
    into->wrong += from->wrong;
    into->lost += from->lost;
    into->disconnects += from->disconnects;
}

uint64_t
tally_failures(const struct tally *t)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < TALLY_FAIL_CODES; i++)
        sum += t->fail[i];
    return sum;
}

uint64_t
tally_errors(const struct tally *t)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < TALLY_ERROR_CODES; i++)
        sum += t->error[i];
    return sum;
}
