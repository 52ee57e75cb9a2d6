/*
 * mariadb_discover.c - looking at a table.
 *
 * Owns: the judgement whether a table can be served: it exists and is no view, its key
 * is an integer or a string with a one-column unique index, and the server really uses
 * that index for a list of ids (EXPLAIN; a long unique hash, for one, is not usable).
 * Two statements: what the dictionary says, then the EXPLAIN.
 */
#include "server/source/mariadb_table.h"

#include "common/log.h"
#include "server/source/mariadb.h"
#include "server/source/mariadb_error.h"
#include "server/source/mariadb_sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* A look is two small statements; this only bounds a server that hangs. */
#define LOOK_BUDGET (2 * USEC_PER_SEC)

/* How long a broken table rests before it is looked at again. */
#define BROKEN_REST (1 * USEC_PER_SEC)

/* Columns of EXPLAIN's row. */
enum { EXPLAIN_TYPE = 3, EXPLAIN_POSSIBLE_KEYS = 4 };

static struct mariadb_table *
table_of_look(struct mariadb_statement *s)
{
    return CONTAINER_OF(s, struct mariadb_table, look.statement);
}

static void
copy_name(char *to, const char *from)
{
    snprintf(to, TABLE_NAME_SIZE, "%s", from == NULL ? "" : from);
}

static void look_broken(struct mariadb_table *t, bool verdict, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The table cannot be served; 'verdict': for a reason that will not pass by itself. */
static void
look_broken(struct mariadb_table *t, bool verdict, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(t->reason, sizeof(t->reason), fmt, ap);
    va_end(ap);
    log_clean(t->reason, strlen(t->reason)); /* it is shown on a line of its own */
    t->state = TABLE_BROKEN;
    t->verdict = verdict;
    t->look_at = clock_now() + BROKEN_REST;
    mariadb_table_looked(t);
}

static void
look_on_fields(struct mariadb_statement *s, const MYSQL_FIELD *fields, unsigned n)
{
    (void)s;
    (void)fields;
    (void)n;
}

static void
look_on_column(struct mariadb_table *t, MYSQL_ROW row)
{
    struct table_look *look = &t->look;

    if (row[1] == NULL)
        return;
    if (t->settings->columns == NULL &&
        (row[4] == NULL || strstr(row[4], "INVISIBLE") == NULL))
        buf_append(&look->columns, row[1], strlen(row[1]) + 1);
    if (strcasecmp(row[1], t->settings->key) != 0)
        return;
    look->has_key = true;
    copy_name(look->key, row[1]);
    copy_name(look->data_type, row[2]);
    look->key_type_known =
        key_type_parse(span_str(row[2]), span_str(row[3]), &look->key_type);
    look->key_invisible = row[4] != NULL && strstr(row[4], "INVISIBLE") != NULL;
}

/* ALL reads the table.  "index" reads a whole index: for a handful of rows the optimizer
 * prefers that even where it could look up, which possible_keys then tells. */
static bool
explains_full_scan(MYSQL_ROW row)
{
    const char *type = row[EXPLAIN_TYPE];

    if (type == NULL)
        return false;
    return strcasecmp(type, "ALL") == 0 ||
           (strcasecmp(type, "index") == 0 && row[EXPLAIN_POSSIBLE_KEYS] == NULL);
}

static void
look_on_row(struct mariadb_statement *s, MYSQL_ROW row, const unsigned long *lengths,
            unsigned n)
{
    struct mariadb_table *t = table_of_look(s);
    struct table_look *look = &t->look;

    (void)lengths;
    if (look->explaining) {
        look->full_scan = n > EXPLAIN_POSSIBLE_KEYS && explains_full_scan(row);
        return;
    }
    if (n < 5 || row[0] == NULL)
        return;
    switch (row[0][0]) {
    case 'T':
        look->found = true;
        look->is_base_table = row[1] != NULL && strstr(row[1], "VIEW") == NULL;
        break;
    case 'C':
        look_on_column(t, row);
        break;
    case 'I':
        if (look->index[0] == '\0')
            copy_name(look->index, row[1]);
        break;
    }
}

static bool
columns_show(const struct config_source *s, const char *key)
{
    size_t i;

    for (i = 0; i < s->ncolumns; i++) {
        if (strcasecmp(s->columns[i], key) == 0)
            return true;
    }
    return false;
}

/* The dictionary has spoken: is there anything to object to?  If not, EXPLAIN. */
static void
look_judge(struct mariadb_table *t)
{
    struct table_look *look = &t->look;
    const struct config_source *s = t->settings;

    if (!look->found) {
        look_broken(t, true,
                    "table %s.%s does not exist, or the database user may not read it",
                    t->schema, s->table);
    } else if (!look->is_base_table) {
        look_broken(t, true,
                    "%s.%s is a view; expected a table with a unique index on %s",
                    t->schema, s->table, s->key);
    } else if (!look->has_key) {
        look_broken(t, true, "table %s.%s has no column %s to be the key", t->schema,
                    s->table, s->key);
    } else if (!look->key_type_known) {
        look_broken(t, true, "key %s.%s.%s has type %s; expected an integer or a string",
                    t->schema, s->table, s->key, look->data_type);
    } else if (look->index[0] == '\0') {
        look_broken(t, true,
                    "key %s.%s.%s has no unique index of its own (one column, whole)",
                    t->schema, s->table, s->key);
    } else {
        t->key_apart =
            s->columns == NULL ? look->key_invisible : !columns_show(s, look->key);
        buf_clear(&t->select);
        sql_append_select(&t->select, t->schema, s, span_str(look->key), t->key_apart,
                          span_str(look->index));
        buf_clear(&look->sql);
        sql_append_explain(&look->sql, LOOK_BUDGET, buf_span(&t->select),
                           look->key_type.kind);
        look->explaining = true;
        mariadb_conn_run(t->conn, &look->statement, buf_span(&look->sql), LOOK_BUDGET);
    }
}

static void
columns_remember(struct mariadb_table *t)
{
    const struct config_source *s = t->settings;
    struct buf was = t->columns;
    size_t i;

    t->columns = t->look.columns;
    t->look.columns = was;
    for (i = 0; i < s->ncolumns; i++)
        buf_append(&t->columns, s->columns[i], strlen(s->columns[i]) + 1);
}

static void
look_accept(struct mariadb_table *t)
{
    struct table_look *look = &t->look;

    copy_name(t->key, look->key);
    copy_name(t->index, look->index);
    columns_remember(t);
    t->key_type = look->key_type;
    t->state = TABLE_READY;
    t->ever_ready = true;
    mariadb_table_looked(t);
}

static void
look_on_end(struct mariadb_statement *s, enum statement_end end, unsigned code,
            const char *text)
{
    struct mariadb_table *t = table_of_look(s);

    if (end == STATEMENT_LOST || end == STATEMENT_CUT || end == STATEMENT_SILENT) {
        t->state = TABLE_UNKNOWN;
        mariadb_table_looked(t);
    } else if (end == STATEMENT_ERROR) {
        look_broken(t, mariadb_error_is_verdict(code), "table %s.%s cannot be read: %s",
                    t->schema, t->settings->table, text);
    } else if (!t->look.explaining) {
        look_judge(t);
    } else if (t->look.full_scan) {
        look_broken(t, true,
                    "the index %s on %s.%s.%s cannot be used to look up a list of ids",
                    t->look.index, t->schema, t->settings->table, t->look.key);
    } else {
        look_accept(t);
    }
}

void
mariadb_table_look(struct mariadb_table *t)
{
    struct table_look *look = &t->look;
    struct buf sql = look->sql, columns = look->columns;

    memset(look, 0, sizeof(*look));
    look->sql = sql;
    look->columns = columns;
    buf_clear(&look->columns);
    look->statement =
        (struct mariadb_statement){ look_on_fields, look_on_row, look_on_end };
    metrics_add(t->metrics, METRIC_discoveries, 1);
    buf_clear(&look->sql);
    sql_append_time_limit(&look->sql, LOOK_BUDGET);
    sql_append_discovery(&look->sql, t->schema, t->settings);
    mariadb_conn_run(t->conn, &look->statement, buf_span(&look->sql), LOOK_BUDGET);
}
