/*
 * mariadb.c - tables of a MariaDB database as sources.
 *
 * Owns: which table is looked at when, and telling the worker when the first look is
 * over.  A table is looked at whenever its connection is new or its definition is in
 * doubt; fetching waits meanwhile (a millisecond), it does not fail.
 */
#include "server/source/mariadb.h"

#include "common/log.h"
#include "server/source/mariadb_error.h"
#include "server/source/mariadb_table.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

struct mariadb {
    const struct config *config;
    const struct config_database *settings;
    const struct mariadb_events *events;
    void *arg;
    struct mariadb_conn *conn;
    struct source_crowd crowd;
    bool settled;
    bool announced_down;
    struct mariadb_table *tables;
    size_t ntables;
};

/* Room for one packet of the server's, which is a row: twice the largest item (columns
 * that are not shown), and never less than a server sends by default (16 MiB), because
 * the library can only drop the connection over a larger one. */
static size_t
packet_max(const struct config *config)
{
    size_t need = 2 * config->item_max_bytes, usual = (size_t)17 << 20;

    return need > usual ? need : usual;
}

static void
mariadb_settle(struct mariadb *db)
{
    if (db->settled)
        return;
    db->settled = true;
    db->events->settled(db->arg);
}

static void
on_connected(void *arg)
{
    struct mariadb *db = arg;
    size_t i;

    log_info("database name=%s connected", db->settings->name);
    db->announced_down = false;
    for (i = 0; i < db->ntables; i++)
        mariadb_table_doubt(&db->tables[i]);
}

/* The server is there but will not have us: as configured, no table can be served. */
static void
mariadb_refuse(struct mariadb *db, const char *text)
{
    char why[300];

    snprintf(why, sizeof(why), "database %s: %s", db->settings->name, text);
    if (db->ntables > 0)
        db->events->refused(db->arg, db->tables[0].source.name, why);
}

static void
on_down(void *arg, unsigned code, const char *text)
{
    struct mariadb *db = arg;

    if (!db->announced_down && code == ER_ACCESS_DENIED_ERROR)
        log_error("database name=%s down error=\"%s\"; check user and password",
                  db->settings->name, text);
    else if (!db->announced_down)
        log_warn("database name=%s down error=\"%s\"; connecting again",
                 db->settings->name, text);
    db->announced_down = true;
    if (!db->settled && mariadb_error_is_verdict(code))
        mariadb_refuse(db, text);
    mariadb_settle(db);
}

static const struct mariadb_conn_events conn_events = { on_connected, on_down };

struct mariadb *
mariadb_new(struct event_base *base, const struct config *config, size_t index,
            struct metrics *metrics, const struct mariadb_events *events, void *arg)
{
    struct mariadb *db = calloc(1, sizeof(*db));
    size_t i;

    if (db == NULL)
        return NULL;
    db->config = config;
    db->settings = &config->databases[index];
    db->events = events;
    db->arg = arg;
    db->tables = calloc(config->nsources, sizeof(*db->tables));
    if (db->tables == NULL)
        goto fail;
    db->conn = mariadb_conn_new(base, db->settings, packet_max(config), metrics,
                                &conn_events, db);
    if (db->conn == NULL)
        goto fail;
    for (i = 0; i < config->nsources; i++) {
        if (config->sources[i].kind != CONFIG_TABLE ||
            config->sources[i].database_index != index)
            continue;
        mariadb_table_init(&db->tables[db->ntables], db, config, &config->sources[i],
                           metrics);
        db->tables[db->ntables].source.crowd = &db->crowd;
        db->tables[db->ntables++].conn = db->conn;
    }
    return db;
fail:
    mariadb_free(&db);
    return NULL;
}

void
mariadb_free(struct mariadb **db)
{
    struct mariadb *d = *db;
    size_t i;

    if (d == NULL)
        return;
    mariadb_conn_free(&d->conn);
    for (i = 0; i < d->ntables; i++)
        mariadb_table_fini(&d->tables[i]);
    free(d->tables);
    free(d);
    *db = NULL;
}

struct source *
mariadb_source(struct mariadb *db, size_t which)
{
    size_t i;

    for (i = 0; i < db->ntables; i++) {
        if (db->tables[i].settings == &db->config->sources[which])
            return &db->tables[i].source;
    }
    return NULL;
}

void
mariadb_flush(struct mariadb *db)
{
    usec_t now;
    size_t i;

    if (!mariadb_conn_idle(db->conn))
        return;
    now = clock_now();
    for (i = 0; i < db->ntables; i++) {
        struct mariadb_table *t = &db->tables[i];

        if (t->state == TABLE_UNKNOWN ||
            (t->state == TABLE_BROKEN && t->look_at <= now)) {
            mariadb_table_look(t);
            return;
        }
    }
    mariadb_settle(db);
}

void
mariadb_table_looked(struct mariadb_table *t)
{
    struct mariadb *db = t->db;

    if (t->state == TABLE_READY)
        log_info("source name=%s ready key=%s kind=%s index=%s", t->source.name, t->key,
                 key_kind_name(t->key_type.kind), t->index);
    else if (t->state == TABLE_BROKEN && !t->verdict)
        log_warn("source name=%s broken reason=\"%s\"; looking again every second",
                 t->source.name, t->reason);
    else if (t->state == TABLE_BROKEN)
        db->events->refused(db->arg, t->source.name, t->reason);
}

void
mariadb_library_end(void)
{
    mysql_library_end();
}
