/*
 * mariadb_sql.c - the statements fetchd sends, as text.
 */
#include "server/source/mariadb_sql.h"

/* MariaDB reads max_statement_time=0 as "no limit". */
#define TIME_LIMIT_MIN (1 * USEC_PER_MSEC)

void
sql_append_name(struct buf *out, struct span name)
{
    size_t i;

    buf_append_char(out, '`');
    for (i = 0; i < name.n; i++) {
        if (name.p[i] == '`')
            buf_append_char(out, '`');
        buf_append_char(out, name.p[i]);
    }
    buf_append_char(out, '`');
}

static void
sql_append_hex(struct buf *out, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *to = buf_reserve(out, bytes.n * 2 + 3);
    size_t i;

    if (to == NULL)
        return;
    *to++ = 'x';
    *to++ = '\'';
    for (i = 0; i < bytes.n; i++) {
        *to++ = digits[(unsigned char)bytes.p[i] >> 4];
        *to++ = digits[(unsigned char)bytes.p[i] & 15];
    }
    *to = '\'';
    buf_commit(out, bytes.n * 2 + 3);
}

void
sql_append_id(struct buf *out, enum key_kind kind, struct span id)
{
    switch (kind) {
    case KEY_INTEGER:
        buf_append_span(out, id);
        break;
    case KEY_TEXT:
        BUF_APPEND_LIT(out, "_utf8mb4 ");
        sql_append_hex(out, id);
        break;
    case KEY_BINARY:
        sql_append_hex(out, id);
        break;
    }
}

void
sql_append_select(struct buf *out, const char *schema, const struct config_source *s,
                  struct span key, bool key_apart, struct span index)
{
    size_t i;

    BUF_APPEND_LIT(out, "SELECT ");
    if (key_apart) {
        sql_append_name(out, key);
        buf_append_char(out, ',');
    }
    if (s->columns == NULL)
        BUF_APPEND_LIT(out, "t.*");
    for (i = 0; i < s->ncolumns; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        sql_append_name(out, span_str(s->columns[i]));
    }
    BUF_APPEND_LIT(out, " FROM ");
    sql_append_name(out, span_str(schema));
    buf_append_char(out, '.');
    sql_append_name(out, span_str(s->table));
    BUF_APPEND_LIT(out, " t FORCE INDEX (");
    sql_append_name(out, index);
    BUF_APPEND_LIT(out, ") WHERE ");
    sql_append_name(out, key);
    BUF_APPEND_LIT(out, " IN (");
}

void
sql_append_time_limit(struct buf *out, usec_t budget)
{
    if (budget < TIME_LIMIT_MIN)
        budget = TIME_LIMIT_MIN;
    buf_append_fmt(out, "SET STATEMENT max_statement_time=%llu.%06llu FOR ",
                   (unsigned long long)(budget / USEC_PER_SEC),
                   (unsigned long long)(budget % USEC_PER_SEC));
}

static void
sql_append_where(struct buf *out, const char *schema, const struct config_source *s)
{
    BUF_APPEND_LIT(out, " WHERE TABLE_SCHEMA=_utf8mb4 ");
    sql_append_hex(out, span_str(schema));
    BUF_APPEND_LIT(out, " AND TABLE_NAME=_utf8mb4 ");
    sql_append_hex(out, span_str(s->table));
}

void
sql_append_discovery(struct buf *out, const char *schema, const struct config_source *s)
{
    BUF_APPEND_LIT(out, "SELECT 'T',TABLE_TYPE,NULL,NULL,NULL FROM"
                        " information_schema.TABLES");
    sql_append_where(out, schema, s);
    BUF_APPEND_LIT(out,
                   " UNION ALL SELECT 'C',COLUMN_NAME,DATA_TYPE,COLUMN_TYPE,EXTRA FROM"
                   " information_schema.COLUMNS");
    sql_append_where(out, schema, s);
    BUF_APPEND_LIT(out,
                   " UNION ALL (SELECT 'I',INDEX_NAME,MAX(COLUMN_NAME),NULL,NULL FROM"
                   " information_schema.STATISTICS");
    sql_append_where(out, schema, s);
    BUF_APPEND_LIT(out, " GROUP BY INDEX_NAME HAVING COUNT(*)=1 AND MAX(NON_UNIQUE)=0"
                        " AND MAX(SUB_PART) IS NULL AND MAX(COLUMN_NAME)=_utf8mb4 ");
    sql_append_hex(out, span_str(s->key));
    BUF_APPEND_LIT(out, " ORDER BY INDEX_NAME<>'PRIMARY' LIMIT 100)");
}

void
sql_append_explain(struct buf *out, usec_t budget, struct span select, enum key_kind kind)
{
    sql_append_time_limit(out, budget);
    BUF_APPEND_LIT(out, "EXPLAIN ");
    buf_append_span(out, select);
    sql_append_id(out, kind, SPAN("1"));
    buf_append_char(out, ',');
    sql_append_id(out, kind, SPAN("2"));
    buf_append_char(out, ')');
}
