/*
 * config.h - what the operator decided, checked, in one immutable struct.
 *
 * Owns: the option table (name, unit, default, range, reload rule, help) and
 * everything derived from it: the parser, "-T", "--options" and the checks.
 * Promise: a struct config that config_load returned is complete, in range and
 * never changes; two can exist at once (a reload builds the second).
 * Never knows: sockets, processes, libmariadb.
 */
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/log.h"
#include "common/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses a database host name may resolve to. */
#define CONFIG_HOST_ADDRS 4

/* Who may do something. */
enum config_access {
    ACCESS_NOBODY,
    ACCESS_LOCAL, /* over loopback or a unix socket */
    ACCESS_ANYONE,
};

struct config_listen {
    char *text; /* as written */
    struct net_addr addr;
};

struct config_database {
    char *name;
    char *host;   /* NULL when 'socket' is set */
    char *socket; /* NULL when 'host' is set */
    char *schema;
    char *user;
    char *password;    /* "" when there is none; masked wherever it is shown */
    char *option_file; /* NULL: none */
    unsigned port;
    unsigned connect_timeout_ms;
    unsigned statement_timeout_ms;
    unsigned reconnect_min_ms;
    unsigned reconnect_max_ms;
    /* numeric forms of 'host', filled by config_resolve */
    char *host_addrs[CONFIG_HOST_ADDRS];
    size_t nhost_addrs;
};

/* "yes", "no", or not said: then a rule decides, and after loading it has. */
enum config_switch {
    SWITCH_UNSET,
    SWITCH_NO,
    SWITCH_YES,
};

struct config_texts {
    char **v;
    size_t n;
};

/* What a source with an url says about its HTTP API. */
struct config_http {
    char *url;      /* as written; the parts below are made of it */
    char *body;     /* "": GET; else POST with this template */
    char *key_type; /* "text" or "integer" */
    char *match;    /* {ids}: the field of an item that holds its id */
    char *items;    /* {ids}: where the answer holds the items; "": it is them */
    struct config_texts headers; /* "Name: value" */
    char *token_file;
    char *token; /* what it holds; NULL: none; masked wherever it is shown */
    char *ca_file;
    enum config_switch verify;
    unsigned ids_max;
    unsigned connections;
    unsigned connect_timeout_ms;
    unsigned timeout_ms;
    size_t header_max_bytes;
    size_t answer_max_bytes;
    unsigned retries; /* extra calls, in percent of all */
    unsigned hedges;  /* the same, for calls that take long */
    unsigned breaker_failures;
    unsigned breaker_min_ms;
    unsigned breaker_max_ms;
    unsigned refresh_ms;
    /* the parts of the url */
    bool tls;
    char *host; /* no brackets */
    unsigned port;
    char *target; /* path and query, a template */
    bool many;    /* {ids}, not {id} */
};

enum config_source_kind {
    CONFIG_TABLE,
    CONFIG_URL,
};

/* The first part is for any kind of source. */
struct config_source {
    char *name;
    enum config_source_kind kind;
    /* CONFIG_TABLE: from here to 'http' */
    char *database;
    size_t database_index; /* into config.databases */
    char *table;
    char *key;
    char **columns; /* NULL: every visible column */
    size_t ncolumns;
    /* CONFIG_URL */
    struct config_http http;
    /* any kind */
    unsigned fresh_ms; /* 0: nothing of it is kept */
    unsigned jitter_percent;
    unsigned negative_ms;
    unsigned stale_ms;
    unsigned stale_if_error_ms;
};

/* Parts that a view may have at most. */
#define CONFIG_PARTS_MAX 16

struct config_part {
    char *name;
    char *source;
    size_t source_index;  /* into config.sources */
    char *key;            /* "id", or "PART.FIELD" */
    size_t key_part;      /* whose field the key is; the part itself: the id */
    const char *key_path; /* in 'key': the field; NULL: the id */
    enum config_switch merge;
    enum config_switch required;
    unsigned budget_ms; /* 0: none */
};

struct config_view {
    char *name;
    struct config_part *parts;
    size_t nparts;
    size_t merged; /* which part; nparts: none */
};

struct config {
    /* processes */
    struct config_listen *listens;
    size_t nlistens;
    unsigned workers; /* never 0 after loading: "one per core" is resolved */
    char *user;       /* "" : stay who we are; refused for root */
    char *pid_file;   /* "" : none; absolute after loading */
    unsigned backlog;
    char *log;          /* a log_sink */
    char *cpu_affinity; /* "on": each worker stays on a processor of its own */
    size_t core_bytes;  /* of a dying worker\'s core file; 0: none */
    enum log_level log_level;
    unsigned start_timeout_ms;
    unsigned drain_timeout_ms;
    unsigned respawn_min_ms;
    unsigned respawn_max_ms;
    unsigned hang_timeout_ms;  /* a worker silent for so long is aborted */
    unsigned recycle_requests; /* 0: never */
    size_t recycle_rss_bytes;  /* 0: never */
    /* requests */
    unsigned deadline_ms;
    unsigned max_connections; /* 0: from RLIMIT_NOFILE */
    size_t line_max_bytes;
    unsigned ids_max;
    unsigned turn_requests;      /* of one connection in one turn of the loop */
    unsigned queue_max;          /* ids of one worker that wait for a statement */
    unsigned errors_max;         /* wrong requests of one connection */
    unsigned request_timeout_ms; /* from a request's first byte to its last */
    unsigned idle_timeout_ms;    /* 0: for ever */
    unsigned pipeline_max;       /* requests of one connection in the works */
    size_t output_soft_bytes;
    size_t output_hard_bytes;
    unsigned output_timeout_ms;
    size_t item_max_bytes;
    size_t reply_max_bytes;  /* item bytes that one request may gather */
    size_t memory_max_bytes; /* requests of one worker and the items they hold */
    /* loader */
    unsigned max_batch;
    unsigned shared_batch; /* see server/source/draw.c */
    size_t batch_bytes;
    unsigned turn_ids;
    /* cache */
    size_t cache_bytes; /* 0: none */
    enum config_access invalidate;
    /* where items come from */
    struct config_database *databases;
    size_t ndatabases;
    struct config_source *sources;
    size_t nsources;
    struct config_view *views;
    size_t nviews;
    char *default_source;
    size_t default_index; /* of the sources, and behind them the views */
    /* where it came from, for messages; "" when there was no file */
    char *path;
};

/* What the command line adds; NULL and 0 mean "not given". */
struct config_overrides {
    /* mysql://user@host:port/schema[?socket=/path&option_file=/path] */
    const char *database_url;
    const char *table;
    const char *key;
    const char *const *listens;
    size_t nlistens;
    const char *workers;
    const char *user;
    const char *pid_file;
    const char *deadline;
    const char *log_level;
};

/* Reads 'path' (NULL: no file), applies 'over' on top (it wins), reads option files
 * and FETCHD_DATABASE_PASSWORD, fills defaults and checks everything.
 * NULL: refused; 'error' then holds one line without a newline, such as
 *   etc/fetchd.conf:12: workers: expected a number from 0 to 256, got "many"
 * The caller frees the result with config_free. */
struct config *config_load(const char *path, const struct config_overrides *over,
                           struct buf *error) MUST_CHECK;

void config_free(struct config **c);

/* Turns database host names into numeric addresses.  Blocks in the resolver, so:
 * the master calls it before it forks and at reload, workers never.
 * false: 'error' says which name and why. */
bool config_resolve(struct config *c, struct buf *error) MUST_CHECK;

/* Overwrites FETCHD_DATABASE_PASSWORD in the process's environment block in place
 * and unsets it, so that /proc/PID/environ no longer shows it.  Call once, after
 * the first config_load. */
void config_wipe_environment(void);

/* Puts the password back for a program that is to be executed, which wipes it again;
 * false: no memory.  config_wipe_environment takes it away if it comes to nothing. */
bool config_restore_environment(void) MUST_CHECK;

/* The effective configuration in the file's own syntax, every option named,
 * passwords shown as "***": what "fetchd -T" prints.  Feeding it back gives the same
 * configuration, passwords apart. */
void config_print(const struct config *c, struct buf *out);

/* The names of options that differ between the two and take effect only with the next
 * start: "user, pid_file". */
void config_restart_changes(const struct config *old, const struct config *new,
                            struct buf *names);

/* One line per option, tab separated: name, type, default, range, when a change
 * takes effect, help.  What "fetchd --options" prints and scripts/check-options
 * compares with etc/fetchd.conf. */
void config_describe_options(struct buf *out);

#endif
