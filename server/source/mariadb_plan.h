/*
 * mariadb_plan.h - from the columns of a result to the way an item is written.
 *
 * Owns: which column type becomes which kind of JSON value, and noticing that a table's
 * definition is not what it was: every result carries its columns, so a plan is checked
 * against each and made anew when they differ.  Nothing is asked of the database for it.
 */
#ifndef SERVER_SOURCE_MARIADB_PLAN_H
#define SERVER_SOURCE_MARIADB_PLAN_H

#include "common/compiler.h"
#include "common/hash.h"
#include "common/span.h"
#include "server/item/compose.h"
#include "server/source/key.h"

#include <mysql.h>
#include <stdbool.h>

/* Columns of a row that are looked at without allocating. */
#define PLAN_COLUMNS_MAX 4096

struct mariadb_plan {
    struct compose_plan *compose;
    unsigned columns;
    unsigned key; /* the column to match rows by */
    uint64_t signature;
    uint64_t key_signature;
};

enum plan_change {
    PLAN_SAME,
    PLAN_NEW,     /* other columns than before (or the first result) */
    PLAN_NEW_KEY, /* the key column itself is of another type */
    PLAN_USELESS, /* no key among the columns, or no memory: rows cannot be used */
};

void mariadb_plan_fini(struct mariadb_plan *plan);

/* Brings 'plan' up to the columns of a result.  With 'key_apart' the first column is the
 * key, for matching only; else the column named 'key_name' is. */
enum plan_change mariadb_plan_update(struct mariadb_plan *plan, const MYSQL_FIELD *fields,
                                     unsigned n, const char *key_name, bool key_apart);

/* Is this column still of the key type that the look at the table found? */
bool mariadb_key_matches(const MYSQL_FIELD *field, const struct key_type *type);

/* How a column is written. */
enum compose_kind mariadb_column_kind(const MYSQL_FIELD *field);

#endif
