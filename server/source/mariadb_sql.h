/*
 * mariadb_sql.h - the statements fetchd sends, as text.
 *
 * Owns: every byte of SQL.  Promise: no byte of a client's is ever spliced in: an id is
 * digits that we printed, or hexadecimal.  Pure functions.
 */
#ifndef SERVER_SOURCE_MARIADB_SQL_H
#define SERVER_SOURCE_MARIADB_SQL_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/span.h"
#include "server/config/config.h"
#include "server/source/key.h"

#include <stdbool.h>

/* `name`, with backticks inside doubled. */
void sql_append_name(struct buf *out, struct span name);

/* A literal for an id in its canonical form: 7, _utf8mb4 x'6162' or x'6162'. */
void sql_append_id(struct buf *out, enum key_kind kind, struct span id);

/* "SELECT ... FROM t FORCE INDEX (k) WHERE key IN (" for a source whose key column and
 * index the database calls 'key' and 'index'; with 'key_apart' the key is selected
 * once more, in front, because the columns do not show it. */
void sql_append_select(struct buf *out, const char *schema, const struct config_source *s,
                       struct span key, bool key_apart, struct span index);

/* "SET STATEMENT max_statement_time=0.123456 FOR ". */
void sql_append_time_limit(struct buf *out, usec_t budget);

/* One statement that tells a table's kind, columns and usable indexes; its rows are
 *   'T', table type, NULL, NULL, NULL
 *   'C', column name, data type, column type, extra   one per column
 *   'I', index name, column name, NULL, NULL          one-column unique indexes on key,
 *                                                     the primary key first */
void sql_append_discovery(struct buf *out, const char *schema,
                          const struct config_source *s);

/* EXPLAIN of a fetch of two made-up ids, within 'budget'. */
void sql_append_explain(struct buf *out, usec_t budget, struct span select,
                        enum key_kind kind);

#endif
