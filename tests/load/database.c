/*
 * database.c - the load table comes to life.
 *
 * A table that is complete says so in its comment, which is written last; anything
 * else under its name is dropped and made again.
 */
#include "tests/load/database.h"

#include "common/buf.h"
#include "tests/load/row.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILL_ROWS 50000
#define CONNECT_SECONDS 5

/* What a row takes in InnoDB's pages, measured, with some room. */
#define ROW_POOL_BYTES 350

/* Raise when the rows change meaning: tables of older kinds are made again. */
#define TABLE_KIND "fetchd load table 1"

MYSQL *
database_open(const struct plan *plan, const char *schema)
{
    MYSQL *db = mysql_init(NULL);
    const char *host = plan->port != 0 ? "127.0.0.1" : "localhost";
    unsigned seconds = CONNECT_SECONDS;

    if (db == NULL)
        return NULL;
    mysql_optionsv(db, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(db, host, plan->user, NULL, schema, plan->port, plan->socket,
                           0) == NULL) {
        fprintf(stderr, "loadgen: %s\n", mysql_error(db));
        mysql_close(db);
        return NULL;
    }
    return db;
}

/* Sends one statement made like printf and reads its first value, if it has any,
 * into 'value'.  -1: refused, said on stderr. */
static int run(MYSQL *db, char *value, size_t size, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static int
run(MYSQL *db, char *value, size_t size, const char *fmt, ...)
{
    char sql[1024];
    MYSQL_RES *result;
    MYSQL_ROW row;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(sql))
        return -1;
    if (mysql_real_query(db, sql, (unsigned long)n) != 0) {
        fprintf(stderr, "loadgen: %s: %s\n", sql, mysql_error(db));
        return -1;
    }
    if ((result = mysql_store_result(db)) == NULL)
        return mysql_field_count(db) == 0 ? 0 : -1;
    if (value != NULL && (row = mysql_fetch_row(result)) != NULL && row[0] != NULL)
        snprintf(value, size, "%s", row[0]);
    mysql_free_result(result);
    return 0;
}

static int
insert_rows(MYSQL *db, const struct plan *plan)
{
    struct buf sql = BUF_INIT;
    uint32_t first, last;
    int result = 0;

    for (first = 1; first <= plan->rows && result == 0; first = last + 1) {
        last = plan->rows - first < FILL_ROWS ? plan->rows : first + FILL_ROWS - 1;
        buf_clear(&sql);
        row_insert_sql(plan->table, first, last, &sql);
        if (buf_failed(&sql) || mysql_real_query(db, sql.data, buf_size(&sql)) != 0) {
            fprintf(stderr, "loadgen: filling: %s\n", mysql_error(db));
            result = -1;
        } else if (last % (4 * FILL_ROWS) == 0) {
            fprintf(stderr, "loadgen: %u of %u rows\n", last, plan->rows);
        }
    }
    buf_fini(&sql);
    return result;
}

static int
create_table(MYSQL *db, const struct plan *plan)
{
    struct buf sql = BUF_INIT;
    int result = -1;

    row_create_sql(plan->table, &sql);
    buf_append(&sql, "", 1);
    if (!buf_failed(&sql) &&
        run(db, NULL, 0, "DROP TABLE IF EXISTS `%s`", plan->table) == 0 &&
        run(db, NULL, 0, "%s", sql.data) == 0 && insert_rows(db, plan) == 0 &&
        run(db, NULL, 0, "ALTER TABLE `%s` COMMENT = '%s, %u rows'", plan->table,
            TABLE_KIND, plan->rows) == 0 &&
        run(db, NULL, 0, "ANALYZE TABLE `%s`", plan->table) == 0)
        result = 0;
    buf_fini(&sql);
    return result;
}

/* The pool must hold the table, or the disk is measured.  Dirty pages are written now
 * rather than during the measurement. */
static int
settle(MYSQL *db, const struct plan *plan)
{
    char pool[32] = "0";

    if (run(db, pool, sizeof(pool), "SELECT @@innodb_buffer_pool_size") == -1)
        return -1;
    if (strtoull(pool, NULL, 10) < (uint64_t)plan->rows * ROW_POOL_BYTES)
        fprintf(stderr,
                "loadgen: warning: buffer pool of %s bytes may not hold %u rows\n", pool,
                plan->rows);
    if (run(db, NULL, 0, "FLUSH TABLES `%s` FOR EXPORT", plan->table) == -1 ||
        run(db, NULL, 0, "UNLOCK TABLES") == -1)
        return -1;
    return run(db, NULL, 0, "SELECT SUM(LENGTH(description)) FROM `%s`", plan->table);
}

int
database_fill(const struct plan *plan)
{
    char comment[128] = "", complete[128];
    MYSQL *db = database_open(plan, NULL);
    int result = -1;

    if (db == NULL)
        return -1;
    snprintf(complete, sizeof(complete), "%s, %u rows", TABLE_KIND, plan->rows);
    if (run(db, NULL, 0, "CREATE DATABASE IF NOT EXISTS `%s`", plan->schema) == 0 &&
        run(db, NULL, 0, "USE `%s`", plan->schema) == 0 &&
        run(db, comment, sizeof(comment),
            "SELECT table_comment FROM information_schema.tables"
            " WHERE table_schema = '%s' AND table_name = '%s'",
            plan->schema, plan->table) == 0 &&
        (strcmp(comment, complete) == 0 || create_table(db, plan) == 0) &&
        settle(db, plan) == 0)
        result = 0;
    mysql_close(db);
    return result;
}
