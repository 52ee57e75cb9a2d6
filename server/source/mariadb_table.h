/*
 * mariadb_table.h - one table as a source, from the inside.
 *
 * Owns: the shape that mariadb.c (which table is looked at when) and mariadb_table.c
 * (fetching) and mariadb_discover.c (looking) share.
 *
 *     UNKNOWN --look--> READY --definition changed, error 1054, 1146 ...--> UNKNOWN
 *                 +---> BROKEN --after a while, look again--> ...
 */
#ifndef SERVER_SOURCE_MARIADB_TABLE_H
#define SERVER_SOURCE_MARIADB_TABLE_H

#include "common/buf.h"
#include "common/clock.h"
#include "server/source/key.h"
#include "server/source/loader.h"
#include "server/source/mariadb_conn.h"
#include "server/source/mariadb_plan.h"
#include "server/source/source.h"

/* MariaDB allows 64 characters. */
#define TABLE_NAME_SIZE (64 * 4 + 1)

enum table_state {
    TABLE_UNKNOWN, /* must be looked at */
    TABLE_READY,
    TABLE_BROKEN, /* cannot be served; 'reason' says why */
};

/* What one look at a table found, while it is being read. */
struct table_look {
    struct mariadb_statement statement;
    bool explaining; /* the second step: is the index really used? */
    bool found;
    bool is_base_table;
    bool has_key;
    bool key_invisible;
    bool full_scan;
    char key[TABLE_NAME_SIZE];
    char index[TABLE_NAME_SIZE];
    char data_type[TABLE_NAME_SIZE];
    struct key_type key_type;
    bool key_type_known;
    struct buf columns; /* visible names, each with its NUL */
    struct buf sql;
};

struct mariadb_table {
    struct source source;
    struct mariadb *db;
    const struct config *config;
    const struct config_source *settings;
    const char *schema;
    usec_t statement_timeout; /* the database's statement_timeout */
    struct mariadb_conn *conn;
    struct metrics *metrics;

    enum table_state state;
    usec_t look_at; /* when a broken table is looked at again */
    bool verdict;   /* broken for good, as long as nobody mends it */
    bool ever_ready;
    char reason[512];

    bool key_apart;
    struct key_type key_type;
    char key[TABLE_NAME_SIZE];
    char index[TABLE_NAME_SIZE];
    struct buf select;  /* "SELECT ... IN (" */
    struct buf columns; /* names of the shown columns, each with its NUL */

    struct table_look look;

    /* the fetch under way */
    struct mariadb_statement statement;
    struct batch *batch;
    struct mariadb_plan plan;
    enum plan_change change;
    struct buf sql;
    size_t avg_bytes; /* of an item, lately */
};

void mariadb_table_init(struct mariadb_table *t, struct mariadb *db,
                        const struct config *config, const struct config_source *settings,
                        struct metrics *metrics);
void mariadb_table_fini(struct mariadb_table *t);

/* Looks at the table over the idle connection; ends in mariadb_table_looked. */
void mariadb_table_look(struct mariadb_table *t);

/* Sends back to UNKNOWN, so that it is looked at again soon. */
void mariadb_table_doubt(struct mariadb_table *t);

/* --- told by the table to its database (mariadb.c) --- */

/* A look is over: the state is READY or BROKEN, or UNKNOWN when the connection died. */
void mariadb_table_looked(struct mariadb_table *t);

#endif
