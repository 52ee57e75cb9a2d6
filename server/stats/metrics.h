/*
 * metrics.h - everything fetchd counts, in one table.
 *
 * Owns: the list of metrics (kind, name, help).  The enum, the scoreboard's columns and
 * every text form are derived from it; to add one, add a row.  Help is written for
 * whoever looks at three in the morning.
 */
#ifndef SERVER_STATS_METRICS_H
#define SERVER_STATS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

/* COUNTER: only grows; survives its worker (folded into the totals).
 * GAUGE: how it is now; dies with its worker.
 * PEAK: the most there ever was, in any worker; survives too. */
enum metric_kind {
    METRIC_KIND_COUNTER,
    METRIC_KIND_GAUGE,
    METRIC_KIND_PEAK,
};

/* clang-format off */
#define METRICS(X) \
    X(GAUGE,   curr_connections,     "client connections open now") \
    X(COUNTER, total_connections,    "client connections accepted") \
    X(COUNTER, moved_connections,    "taken over from a worker that retired: reload, upgrade, fewer workers") \
    X(COUNTER, rejected_connections, "refused politely: limits.connections or no descriptor left") \
    X(COUNTER, accept_errors,        "accept(2) failures; consider raising RLIMIT_NOFILE") \
    X(COUNTER, accept_deferred,      "times a worker left a connection to a less busy one") \
    X(COUNTER, commands,             "requests of any verb") \
    X(COUNTER, requests,             "fetch requests") \
    X(COUNTER, ids,                  "positions asked for in fetch requests") \
    X(COUNTER, items,                "positions answered with an item") \
    X(COUNTER, stale,                "positions answered STALE, counted in items too") \
    X(COUNTER, misses,               "positions answered MISS") \
    X(COUNTER, failures,             "positions answered FAIL") \
    X(COUNTER, fail_timeout,         "FAIL timeout: not there by the deadline") \
    X(COUNTER, fail_database,        "FAIL database: the database was away or refused") \
    X(COUNTER, fail_upstream,        "FAIL upstream: the HTTP API failed, or answered with what is no item") \
    X(COUNTER, fail_overload,        "FAIL overload") \
    X(COUNTER, fail_badid,           "FAIL badid: not a value of the key column's type") \
    X(COUNTER, fail_stale,           "FAIL stale: only a copy too old for the request was there") \
    X(COUNTER, fail_toobig,          "FAIL toobig: the item is larger than limits.item") \
    X(COUNTER, get_omitted,          "failed ids left out of answers in memcached's dialect") \
    X(COUNTER, busy,                 "requests refused for limits.memory: ERROR busy, or FAIL overload for each id") \
    X(COUNTER, protocol_errors,      "requests answered ERROR") \
    X(COUNTER, foreign_protocols,    "connections closed: HTTP, TLS or binary bytes on this port") \
    X(COUNTER, output_closed,        "clients closed for not reading their answers") \
    X(COUNTER, errors_closed,        "clients closed after limits.errors wrong requests") \
    X(COUNTER, timeout_closed,       "clients closed: idle, or a request that took too long to arrive") \
    X(COUNTER, read_paused,          "times reading from a client stopped until it caught up") \
    X(COUNTER, abandoned,            "requests whose client left before the answer") \
    X(COUNTER, invalidate_denied,    "invalidations refused: not from this address, see cache.invalidate") \
    X(COUNTER, deadlines_fired,      "requests that were answered at their deadline, not before") \
    X(COUNTER, deadlines_late_1ms,   "of those, said more than 1 ms after it") \
    X(COUNTER, deadlines_late_2ms,   "of those, said more than 2 ms after it: the worker had no core, or a turn was long") \
    X(COUNTER, deadlines_late_5ms,   "of those, said more than 5 ms after it") \
    X(PEAK,    deadline_late_max_us, "the latest of them, in microseconds") \
    X(COUNTER, statements,           "statements sent to MariaDB to fetch items") \
    X(COUNTER, statements_shared,    "of those, cut short for those who ask for few, see loader.shared_batch") \
    X(COUNTER, statement_ids,        "ids in those statements") \
    X(COUNTER, statement_rows,       "rows that came back") \
    X(COUNTER, statement_errors,     "statements that failed") \
    X(COUNTER, statement_timeouts,   "statements ended by max_statement_time or by silence") \
    X(COUNTER, coalesced,            "wants that joined one already asked or queued") \
    X(COUNTER, cache_hits,           "ids found in the cache, fresh") \
    X(COUNTER, cache_stale,          "ids found in the cache, stale: served, and fetched anew behind") \
    X(COUNTER, cache_negative,       "ids known not to exist") \
    X(COUNTER, cache_misses,         "ids not in the cache, too old or forgotten") \
    X(COUNTER, cache_rescues,        "positions answered STALE because the source failed or was late") \
    X(COUNTER, cache_refreshes,      "stale ids fetched anew behind") \
    X(COUNTER, lease_waits,          "ids that another worker was fetching already") \
    X(COUNTER, lease_takeovers,      "... and that were fetched here after all: it died, stopped or failed") \
    X(COUNTER, invalidations,        "ids forgotten on request") \
    X(COUNTER, flushes,              "times everything was forgotten on request") \
    X(COUNTER, requeued,             "wants asked again after a lost or split statement") \
    X(COUNTER, view_items,           "items of views asked for") \
    X(COUNTER, view_partial,         "items of views answered without a part that failed or was late") \
    X(COUNTER, view_parts_absent,    "parts left out: their source says there is none") \
    X(COUNTER, view_parts_late,      "parts left out: not there by their budget or the deadline") \
    X(COUNTER, view_parts_failed,    "parts left out: their source failed") \
    X(COUNTER, discoveries,          "times a table's definition was read") \
    X(COUNTER, db_connects,          "database connections established") \
    X(COUNTER, db_connect_failures,  "database connections that failed") \
    X(COUNTER, db_disconnects,       "database connections lost or given up") \
    X(COUNTER, http_calls,           "calls to HTTP APIs, extra ones not counted") \
    X(COUNTER, http_call_ids,        "ids in those calls") \
    X(COUNTER, http_errors,          "calls that failed: no connection, a bad status, a bad answer") \
    X(COUNTER, http_timeouts,        "calls given up: the source's timeout, or nobody waited any more") \
    X(COUNTER, http_retries,         "extra calls: made again after a failure") \
    X(COUNTER, http_hedges,          "extra calls: made beside one that took long") \
    X(COUNTER, http_connects,        "connections to HTTP APIs established") \
    X(COUNTER, http_connect_failures, "connections to HTTP APIs that failed, TLS and certificates included") \
    X(COUNTER, breaker_opened,       "times that a source was given a pause after failures in a row") \
    X(COUNTER, bytes_read,           "bytes from clients") \
    X(COUNTER, bytes_written,        "bytes to clients") \
    X(COUNTER, log_dropped,          "log lines that could not be written: disk full, pipe not read") \
    X(COUNTER, turns,                "turns of the event loop") \
    X(PEAK,    cache_oldest_ms,      "age of the oldest item that was served from the cache") \
    X(GAUGE,   inflight_requests,    "requests not yet answered") \
    X(GAUGE,   inflight_statements,  "statements and calls not yet answered") \
    X(GAUGE,   held_bytes,           "what requests and the items they hold weigh, see limits.memory") \
    X(GAUGE,   queued_ids,           "ids waiting for a statement or call") \
    X(GAUGE,   http_connections,     "connections to HTTP APIs open now, idle ones included") \
    X(GAUGE,   breakers_open,        "sources not asked for now, after failures in a row") \
    X(GAUGE,   db_up,                "database connections ready for use")
/* clang-format on */

#define METRIC_ENUM(kind, name, help) METRIC_##name,
enum metric { METRICS(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

/* One process's figures.  Single writer: that process.  Anyone may read. */
struct metrics {
    _Atomic uint64_t v[METRIC_COUNT];
};

/* Name, kind and help of a metric. */
struct metric_info {
    const char *name;
    enum metric_kind kind;
    const char *help;
};
extern const struct metric_info metric_infos[METRIC_COUNT];

/* A plain load and store, no locked instruction: there is one writer. */
static inline void
metrics_add(struct metrics *m, enum metric which, uint64_t n)
{
    atomic_store_explicit(&m->v[which],
                          atomic_load_explicit(&m->v[which], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void
metrics_sub(struct metrics *m, enum metric which, uint64_t n)
{
    metrics_add(m, which, (uint64_t)0 - n);
}

static inline void
metrics_set(struct metrics *m, enum metric which, uint64_t value)
{
    atomic_store_explicit(&m->v[which], value, memory_order_relaxed);
}

static inline void
metrics_peak(struct metrics *m, enum metric which, uint64_t value)
{
    if (value > atomic_load_explicit(&m->v[which], memory_order_relaxed))
        metrics_set(m, which, value);
}

static inline uint64_t
metrics_get(const struct metrics *m, enum metric which)
{
    return atomic_load_explicit(&m->v[which], memory_order_relaxed);
}

#endif
