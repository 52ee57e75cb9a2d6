/*
 * mariadb_table.c - one table as a source: a batch becomes a statement, rows become
 * items.
 *
 * Promise: rows are matched by key, never by position, and only a row whose key bytes
 * equal the id counts (collations fold case and trailing blanks: measured).
 */
#include "server/source/mariadb_table.h"

#include "common/log.h"
#include "server/item/compose.h"
#include "server/source/fingerprint.h"
#include "server/source/mariadb.h"
#include "server/source/mariadb_error.h"
#include "server/source/mariadb_sql.h"

#include <assert.h>

/* What an item weighs before any was seen. */
#define AVG_BYTES_GUESS 512

static struct mariadb_table *
table_of(struct mariadb_statement *s)
{
    return CONTAINER_OF(s, struct mariadb_table, statement);
}

static const struct mariadb_table *
table_of_source(const struct source *s)
{
    return CONTAINER_OF(s, struct mariadb_table, source);
}

/* --- the end of a fetch -------------------------------------------------------- */

static enum batch_outcome
table_judge(struct mariadb_table *t, enum statement_end end, unsigned code)
{
    switch (end) {
    case STATEMENT_DONE:
        /* With another type of key the ids must be read anew, after another look. */
        if (t->change == PLAN_NEW_KEY)
            return BATCH_LOST;
        return t->change == PLAN_USELESS ? BATCH_FAILED : BATCH_COMPLETE;
    case STATEMENT_SILENT:
        return BATCH_TIMEOUT;
    case STATEMENT_LOST:
        return BATCH_LOST;
    case STATEMENT_CUT:
        return BATCH_CUT;
    case STATEMENT_ERROR:
        break;
    }
    return mariadb_error_outcome(code);
}

static void
table_count_end(struct mariadb_table *t, enum batch_outcome outcome)
{
    if (outcome == BATCH_COMPLETE)
        return;
    metrics_add(t->metrics, METRIC_statement_errors, 1);
    if (outcome == BATCH_TIMEOUT)
        metrics_add(t->metrics, METRIC_statement_timeouts, 1);
}

static void
table_on_end(struct mariadb_statement *s, enum statement_end end, unsigned code,
             const char *text)
{
    struct mariadb_table *t = table_of(s);
    struct batch *batch = t->batch;
    enum batch_outcome outcome = table_judge(t, end, code);

    t->batch = NULL;
    table_count_end(t, outcome);
    if (outcome == BATCH_FAILED) {
        log_warn("source name=%s statement failed code=%u error=\"%s\"; looking at the "
                 "table again",
                 t->source.name, code, text);
        mariadb_table_doubt(t);
    } else if (end == STATEMENT_DONE && t->change != PLAN_SAME) {
        log_info("source name=%s definition changed", t->source.name);
        mariadb_table_doubt(t);
    }
    batch_done(batch, outcome, clock_now());
}

/* --- rows ---------------------------------------------------------------------- */

static void
table_on_fields(struct mariadb_statement *s, const MYSQL_FIELD *fields, unsigned n)
{
    struct mariadb_table *t = table_of(s);
    bool first = t->plan.compose == NULL;

    t->change = mariadb_plan_update(&t->plan, fields, n, t->key, t->key_apart);
    if (t->change != PLAN_USELESS)
        t->source.form = t->plan.signature;
    if (t->change == PLAN_SAME || t->change == PLAN_USELESS)
        return;
    /* What counts is what the last look said: the definition may have changed between it
     * and the first statement too. */
    if (!mariadb_key_matches(&fields[t->plan.key], &t->key_type))
        t->change = PLAN_NEW_KEY;
    else
        t->change = first ? PLAN_SAME : PLAN_NEW;
}

/* The mean size of items, moving by an eighth: it cuts batches, nothing hangs on it. */
static void
table_weigh(struct mariadb_table *t, size_t bytes)
{
    t->avg_bytes += (bytes >> 3) - (t->avg_bytes >> 3);
}

static void
table_on_row(struct mariadb_statement *s, MYSQL_ROW row, const unsigned long *lengths,
             unsigned n)
{
    struct mariadb_table *t = table_of(s);
    struct span values[n];
    struct buf *out = batch_bytes(t->batch);
    size_t off = out->len;
    struct span id;
    unsigned i;
    long place;

    metrics_add(t->metrics, METRIC_statement_rows, 1);
    if (t->change == PLAN_USELESS || t->change == PLAN_NEW_KEY ||
        row[t->plan.key] == NULL)
        return;
    id = key_from_row(&t->key_type, span_of(row[t->plan.key], lengths[t->plan.key]));
    if ((place = batch_find(t->batch, id)) < 0)
        return; /* equal in the collation's eyes only */
    for (i = 0; i < n; i++)
        values[i] = span_of(row[i], lengths[i]);
    if (compose_item(t->plan.compose, values, t->config->item_max_bytes, out)) {
        batch_item(t->batch, (size_t)place, off);
        table_weigh(t, out->len - off);
    } else {
        batch_fail(t->batch, (size_t)place, ITEM_FAIL_TOOBIG);
    }
}

/* --- the source ---------------------------------------------------------------- */

static enum source_state
table_source_state(const struct source *s)
{
    const struct mariadb_table *t = table_of_source(s);

    if (mariadb_conn_down(t->conn) || t->state == TABLE_BROKEN)
        return SOURCE_DOWN;
    return t->state == TABLE_READY ? SOURCE_UP : SOURCE_PENDING;
}

static bool
table_room(const struct source *s)
{
    const struct mariadb_table *t = table_of_source(s);

    return t->state == TABLE_READY && mariadb_conn_idle(t->conn);
}

static size_t
table_batch_ids(const struct source *s)
{
    const struct mariadb_table *t = table_of_source(s);
    size_t ids = t->config->batch_bytes / (t->avg_bytes + 1);

    return ids == 0 ? 1 : ids;
}

/* One id of the list.  A want may be older than the last look at the table: what is no
 * canonical id of the key's present type never becomes part of a statement. */
static void
table_append_id(struct mariadb_table *t, struct batch *batch, size_t i)
{
    struct span id = batch_id(batch, i);
    char again[SOURCE_KEY_MAX];
    size_t n = 0;
    enum source_key_verdict verdict = key_canonical(&t->key_type, id, again, &n);

    if (verdict == SOURCE_KEY_OK && span_equal(id, span_of(again, n))) {
        sql_append_id(&t->sql, t->key_type.kind, id);
        return;
    }
    if (verdict != SOURCE_KEY_ABSENT)
        batch_fail(batch, i, ITEM_FAIL_BADID);
    BUF_APPEND_LIT(&t->sql, "NULL");
}

static void
table_fetch(struct source *s, struct batch *batch)
{
    struct mariadb_table *t = CONTAINER_OF(s, struct mariadb_table, source);
    usec_t budget = batch_budget(batch, clock_now());
    size_t i, n = batch_size(batch);

    assert(t->batch == NULL && t->state == TABLE_READY);
    if (budget > t->statement_timeout)
        budget = t->statement_timeout;
    t->batch = batch;
    t->change = PLAN_SAME;
    buf_clear(&t->sql);
    sql_append_time_limit(&t->sql, budget);
    buf_append_span(&t->sql, buf_span(&t->select));
    for (i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(&t->sql, ',');
        table_append_id(t, batch, i);
    }
    buf_append_char(&t->sql, ')');
    metrics_add(t->metrics, METRIC_statements, 1);
    metrics_add(t->metrics, METRIC_statement_ids, n);
    mariadb_conn_run(t->conn, &t->statement, buf_span(&t->sql), budget);
}

static enum source_key_verdict
table_key(const struct source *s, struct span key, char *id, size_t *id_len)
{
    const struct mariadb_table *t = table_of_source(s);

    if (!t->ever_ready)
        return SOURCE_KEY_UNKNOWN;
    return key_canonical(&t->key_type, key, id, id_len);
}

static bool
table_has_column(const struct mariadb_table *t, struct span name)
{
    struct span all = buf_span(&t->columns);
    const char *p;

    if (all.n == 0)
        return false;
    for (p = all.p; p < all.p + all.n; p += strlen(p) + 1) {
        if (span_equal(span_str(p), name))
            return true;
    }
    return false;
}

static bool
table_has_field(const struct source *s, struct span path)
{
    const struct mariadb_table *t = table_of_source(s);
    const char *point = memchr(path.p, '.', path.n);

    return !t->ever_ready || table_has_column(t, path) ||
           (point != NULL &&
            table_has_column(t, span_of(path.p, (size_t)(point - path.p))));
}

static void
table_describe(const struct source *s, struct buf *out)
{
    const struct mariadb_table *t = table_of_source(s);

    switch (t->state) {
    case TABLE_UNKNOWN:
        BUF_APPEND_LIT(out, "state=unknown");
        break;
    case TABLE_READY:
        buf_append_fmt(out, "state=%s kind=%s index=%s",
                       mariadb_conn_down(t->conn) ? "down" : "ready",
                       key_kind_name(t->key_type.kind), t->index);
        break;
    case TABLE_BROKEN:
        buf_append_fmt(out, "state=broken reason=\"%s\"", t->reason);
        break;
    }
}

static const struct source_ops table_ops = {
    .kind = "table",
    .failure = ITEM_FAIL_DATABASE,
    .state = table_source_state,
    .room = table_room,
    .batch_ids = table_batch_ids,
    .fetch = table_fetch,
    .key = table_key,
    .has_field = table_has_field,
    .describe = table_describe,
};

/* Of all that decides which row an id means and which of its columns are shown. */
static uint64_t
table_fingerprint(const struct config_database *d, const struct config_source *s)
{
    struct fingerprint f;
    size_t i;

    fingerprint_begin(&f, "table");
    fingerprint_add_number(&f, d->port);
    fingerprint_add(&f, d->host);
    fingerprint_add(&f, d->socket);
    fingerprint_add(&f, d->schema);
    fingerprint_add(&f, d->user);
    fingerprint_add(&f, s->table);
    fingerprint_add(&f, s->key);
    for (i = 0; i < s->ncolumns; i++)
        fingerprint_add(&f, s->columns[i]);
    return fingerprint_end(&f);
}

void
mariadb_table_init(struct mariadb_table *t, struct mariadb *db,
                   const struct config *config, const struct config_source *settings,
                   struct metrics *metrics)
{
    const struct config_database *database = &config->databases[settings->database_index];

    memset(t, 0, sizeof(*t));
    t->source.ops = &table_ops;
    t->source.name = settings->name;
    t->source.key = settings->key;
    t->source.fingerprint = table_fingerprint(database, settings);
    t->db = db;
    t->config = config;
    t->settings = settings;
    t->schema = database->schema;
    t->statement_timeout = database->statement_timeout_ms * USEC_PER_MSEC;
    t->metrics = metrics;
    t->state = TABLE_UNKNOWN;
    t->avg_bytes = AVG_BYTES_GUESS;
    t->statement =
        (struct mariadb_statement){ table_on_fields, table_on_row, table_on_end };
    buf_init(&t->select, 0);
    buf_init(&t->sql, 0);
    buf_init(&t->columns, 0);
    buf_init(&t->look.columns, 0);
    buf_init(&t->look.sql, 0);
}

void
mariadb_table_fini(struct mariadb_table *t)
{
    mariadb_plan_fini(&t->plan);
    buf_fini(&t->select);
    buf_fini(&t->sql);
    buf_fini(&t->columns);
    buf_fini(&t->look.columns);
    buf_fini(&t->look.sql);
}

void
mariadb_table_doubt(struct mariadb_table *t)
{
    t->state = TABLE_UNKNOWN;
}
