/*
 * options.c - the one table of options.
 *
 * A row is all it takes to add an option: a field in config.h, a row here, a line
 * in etc/fetchd.conf (scripts and tests compare the two).
 */
#include "server/config/options.h"

#include "server/config/config.h"
#include "server/config/value.h"

#include <inttypes.h>
#include <string.h>

#define TOP(field) offsetof(struct config, field)
#define DATABASE(field) offsetof(struct config_database, field)
#define SOURCE(field) offsetof(struct config_source, field)
#define HTTP(field) offsetof(struct config_source, http.field)
#define PART(field) offsetof(struct config_part, field)

#define K ((uint64_t)1 << 10)
#define M ((uint64_t)1 << 20)
#define G ((uint64_t)1 << 30)
#define SEC ((uint64_t)1000)
#define MIN (60 * SEC)
#define HOUR (60 * MIN)

/* clang-format off */
static const struct {
    const char *name;
    bool titled;
    enum section parent;
} sections[SECTION_NSECTIONS] = {
    [SECTION_TOP]      = { "",         false, SECTION_TOP },
    [SECTION_LIMITS]   = { "limits",   false, SECTION_TOP },
    [SECTION_LOADER]   = { "loader",   false, SECTION_TOP },
    [SECTION_CACHE]    = { "cache",    false, SECTION_TOP },
    [SECTION_DATABASE] = { "database", true,  SECTION_TOP },
    [SECTION_SOURCE]   = { "source",   true,  SECTION_TOP },
    [SECTION_VIEW]     = { "view",     true,  SECTION_TOP },
    [SECTION_PART]     = { "part",     true,  SECTION_VIEW },
};
/* clang-format on */

/* clang-format off */
static const struct option options[] = {
    /* section, name, type, offset, default, min, max, reload, help */
    { SECTION_TOP, "listen", OPTION_LISTEN, TOP(listens), "127.0.0.1:7070", 0, 0, RELOAD_GENERATION,
      "addresses to serve clients on, TCP or unix sockets" },
    { SECTION_TOP, "workers", OPTION_COUNT, TOP(workers), "0", 0, 256, RELOAD_GENERATION,
      "worker processes; 0: one for each core this process may use" },
    { SECTION_TOP, "user", OPTION_TEXT, TOP(user), "", 0, 0, RELOAD_RESTART,
      "system user the workers run as; required when started as root" },
    { SECTION_TOP, "pid_file", OPTION_PATH, TOP(pid_file), "", 0, 0, RELOAD_RESTART,
      "file that holds the master's process id; empty: none" },
    { SECTION_TOP, "backlog", OPTION_COUNT, TOP(backlog), "1024", 1, 65535, RELOAD_GENERATION,
      "connections the kernel queues before they are accepted" },
    { SECTION_TOP, "log", OPTION_TEXT, TOP(log), "stderr", 0, 0, RELOAD_RESTART,
      "where messages go: stderr, syslog, or the absolute path of a file" },
    { SECTION_TOP, "cpu_affinity", OPTION_TEXT, TOP(cpu_affinity), "off", 0, 0, RELOAD_GENERATION,
      "on: each worker stays on one processor" },
    { SECTION_TOP, "core", OPTION_BYTES, TOP(core_bytes), "0", 0, 1024 * G, RELOAD_GENERATION,
      "largest core file of a worker that crashes; 0: none, for it holds passwords" },
    { SECTION_TOP, "log_level", OPTION_LEVEL, TOP(log_level), "info", 0, 0, RELOAD_GENERATION,
      "least important kind of line that is logged" },
    { SECTION_TOP, "start_timeout", OPTION_MS, TOP(start_timeout_ms), "10s", 100, HOUR, RELOAD_GENERATION,
      "how long a new worker may take until it is ready" },
    { SECTION_TOP, "drain_timeout", OPTION_MS, TOP(drain_timeout_ms), "10s", 0, HOUR, RELOAD_GENERATION,
      "how long a stopping worker may finish its requests" },
    { SECTION_TOP, "respawn_min", OPTION_MS, TOP(respawn_min_ms), "100ms", 1, HOUR, RELOAD_GENERATION,
      "first pause before a worker that died at once is replaced" },
    { SECTION_TOP, "respawn_max", OPTION_MS, TOP(respawn_max_ms), "10s", 1, HOUR, RELOAD_GENERATION,
      "longest such pause; each further death doubles it up to here" },
    { SECTION_TOP, "hang_timeout", OPTION_MS, TOP(hang_timeout_ms), "10s", 1500, HOUR, RELOAD_GENERATION,
      "how long a worker may not respond before it is aborted and replaced" },
    { SECTION_TOP, "recycle_requests", OPTION_COUNT, TOP(recycle_requests), "0", 0, 1000000000, RELOAD_GENERATION,
      "fetch requests, give or take a tenth, after which a worker is replaced; 0: never" },
    { SECTION_TOP, "recycle_rss", OPTION_BYTES, TOP(recycle_rss_bytes), "0", 0, G << 10, RELOAD_GENERATION,
      "resident memory beyond which a worker is replaced; 0: never" },
    { SECTION_TOP, "deadline", OPTION_MS, TOP(deadline_ms), "200ms", 1, HOUR, RELOAD_GENERATION,
      "a request is answered by then, with FAIL timeout for what is not there" },
    { SECTION_TOP, "default", OPTION_TEXT, TOP(default_source), "", 0, 0, RELOAD_GENERATION,
      "source or view whose keys are written plain; empty: the first source" },

    { SECTION_LIMITS, "connections", OPTION_COUNT, TOP(max_connections), "0", 0, 10000000, RELOAD_GENERATION,
      "client connections of the whole server; 0: as many as RLIMIT_NOFILE allows" },
    { SECTION_LIMITS, "line", OPTION_BYTES, TOP(line_max_bytes), "4M", K, 64 * M, RELOAD_GENERATION,
      "longest request line" },
    { SECTION_LIMITS, "ids", OPTION_COUNT, TOP(ids_max), "10000", 1, 100000, RELOAD_GENERATION,
      "most keys in one request" },
    { SECTION_LIMITS, "pipeline", OPTION_COUNT, TOP(pipeline_max), "128", 1, 10000, RELOAD_GENERATION,
      "unanswered requests of one connection before its reading pauses" },
    { SECTION_LIMITS, "turn_requests", OPTION_COUNT, TOP(turn_requests), "64", 1, 10000, RELOAD_GENERATION,
      "requests of one connection taken in one turn of the loop" },
    { SECTION_LIMITS, "queue", OPTION_COUNT, TOP(queue_max), "200000", 1, 10000000, RELOAD_GENERATION,
      "ids of one worker waiting for a statement; beyond it FAIL overload at once" },
    { SECTION_LIMITS, "errors", OPTION_COUNT, TOP(errors_max), "100", 1, 1000000, RELOAD_GENERATION,
      "wrong requests of one connection before it is closed" },
    { SECTION_LIMITS, "request_timeout", OPTION_MS, TOP(request_timeout_ms), "10s", 100, HOUR, RELOAD_GENERATION,
      "from the first byte of a request to its last" },
    { SECTION_LIMITS, "idle_timeout", OPTION_MS, TOP(idle_timeout_ms), "0", 0, 24 * HOUR, RELOAD_GENERATION,
      "how long a connection may ask nothing; 0: for ever" },
    { SECTION_LIMITS, "output_soft", OPTION_BYTES, TOP(output_soft_bytes), "1M", 4 * K, G, RELOAD_GENERATION,
      "unread reply bytes of one connection before its reading pauses" },
    { SECTION_LIMITS, "output_hard", OPTION_BYTES, TOP(output_hard_bytes), "64M", 64 * K, 4 * G, RELOAD_GENERATION,
      "unread reply bytes of one connection before it is closed" },
    { SECTION_LIMITS, "output_timeout", OPTION_MS, TOP(output_timeout_ms), "10s", 100, HOUR, RELOAD_GENERATION,
      "how long a client may leave replies unread before it is closed" },
    { SECTION_LIMITS, "item", OPTION_BYTES, TOP(item_max_bytes), "1M", K, 64 * M, RELOAD_GENERATION,
      "largest item; a larger one is answered with FAIL toobig" },
    { SECTION_LIMITS, "memory", OPTION_BYTES, TOP(memory_max_bytes), "1G", M, 1024 * G, RELOAD_GENERATION,
      "requests of one worker with the items they hold; beyond it ERROR busy or FAIL overload" },
    { SECTION_LIMITS, "reply", OPTION_BYTES, TOP(reply_max_bytes), "32M", 64 * K, 4 * G, RELOAD_GENERATION,
      "item bytes one request may gather; what is beyond is answered with FAIL toobig" },

    /* An IN list of 1000 and more is rewritten by MariaDB into a subquery. */
    { SECTION_LOADER, "max_batch", OPTION_COUNT, TOP(max_batch), "128", 1, 999, RELOAD_GENERATION,
      "most ids in one statement" },
    { SECTION_LOADER, "shared_batch", OPTION_COUNT, TOP(shared_batch), "16", 1, 999, RELOAD_GENERATION,
      "least part in a statement of one who asks for many ids, while others ask for few" },
    { SECTION_LOADER, "batch_bytes", OPTION_BYTES, TOP(batch_bytes), "1M", K, 64 * M, RELOAD_GENERATION,
      "reply bytes expected from one statement at which the batch is cut" },
    { SECTION_LOADER, "turn_ids", OPTION_COUNT, TOP(turn_ids), "4096", 1, 100000, RELOAD_GENERATION,
      "most ids a worker handles before it looks at its other clients" },

    { SECTION_CACHE, "size", OPTION_BYTES, TOP(cache_bytes), "256M", 0, 1024 * G, RELOAD_RESTART,
      "memory for items that all workers share; 0: nothing is kept" },
    { SECTION_CACHE, "invalidate", OPTION_ACCESS, TOP(invalidate), "local", 0, 0, RELOAD_GENERATION,
      "who may make it forget items; local: over loopback and unix sockets" },

    { SECTION_DATABASE, "host", OPTION_TEXT, DATABASE(host), "", 0, 0, RELOAD_GENERATION,
      "server name or address, always over TCP; excludes socket" },
    { SECTION_DATABASE, "port", OPTION_COUNT, DATABASE(port), "3306", 1, 65535, RELOAD_GENERATION,
      "TCP port of the server" },
    { SECTION_DATABASE, "socket", OPTION_PATH, DATABASE(socket), "", 0, 0, RELOAD_GENERATION,
      "unix socket of the server; with no host: /run/mysqld/mysqld.sock" },
    { SECTION_DATABASE, "schema", OPTION_NAME, DATABASE(schema), "", 0, 0, RELOAD_GENERATION,
      "schema that holds the tables; required" },
    { SECTION_DATABASE, "user", OPTION_TEXT, DATABASE(user), "", 0, 0, RELOAD_GENERATION,
      "database user; empty: the name of the system user fetchd runs as" },
    { SECTION_DATABASE, "password", OPTION_SECRET, DATABASE(password), "", 0, 0, RELOAD_GENERATION,
      "password; better kept in option_file or FETCHD_DATABASE_PASSWORD" },
    { SECTION_DATABASE, "option_file", OPTION_PATH, DATABASE(option_file), "", 0, 0, RELOAD_GENERATION,
      "my.cnf style file with user, password, host, port or socket" },
    { SECTION_DATABASE, "connect_timeout", OPTION_MS, DATABASE(connect_timeout_ms), "1s", 10, MIN, RELOAD_GENERATION,
      "how long connecting may take" },
    { SECTION_DATABASE, "statement_timeout", OPTION_MS, DATABASE(statement_timeout_ms), "10s", 1, HOUR, RELOAD_GENERATION,
      "longest time any statement may run" },
    { SECTION_DATABASE, "reconnect_min", OPTION_MS, DATABASE(reconnect_min_ms), "50ms", 1, 10 * MIN, RELOAD_GENERATION,
      "first pause before connecting again" },
    { SECTION_DATABASE, "reconnect_max", OPTION_MS, DATABASE(reconnect_max_ms), "500ms", 1, 10 * MIN, RELOAD_GENERATION,
      "longest such pause" },

    { SECTION_SOURCE, "database", OPTION_TEXT, SOURCE(database), "", 0, 0, RELOAD_GENERATION,
      "name of a database section; may be left out when there is only one" },
    { SECTION_SOURCE, "table", OPTION_NAME, SOURCE(table), "", 0, 0, RELOAD_GENERATION,
      "table the items are rows of; a source needs either table or url" },
    { SECTION_SOURCE, "key", OPTION_NAME, SOURCE(key), "id", 0, 0, RELOAD_GENERATION,
      "column that identifies an item; needs a unique index of its own" },
    { SECTION_SOURCE, "columns", OPTION_NAMES, SOURCE(columns), "", 0, 0, RELOAD_GENERATION,
      "columns that make up an item, in this order; empty: every visible one" },
    { SECTION_SOURCE, "fresh", OPTION_MS, SOURCE(fresh_ms), "60s", 0, 30 * 24 * HOUR, RELOAD_GENERATION,
      "how long after its statement was sent an item is served; 0: it is not kept" },
    { SECTION_SOURCE, "jitter", OPTION_COUNT, SOURCE(jitter_percent), "10", 0, 50, RELOAD_GENERATION,
      "percent by which fresh is shortened at most, each item by another share" },
    { SECTION_SOURCE, "negative", OPTION_MS, SOURCE(negative_ms), "5s", 0, 30 * 24 * HOUR, RELOAD_GENERATION,
      "the same for the word that there is no such item; at most fresh" },
    { SECTION_SOURCE, "stale", OPTION_MS, SOURCE(stale_ms), "0", 0, 30 * 24 * HOUR, RELOAD_GENERATION,
      "after fresh: served as STALE for so long, and fetched anew behind" },
    { SECTION_SOURCE, "stale_if_error", OPTION_MS, SOURCE(stale_if_error_ms), "0", 0, 30 * 24 * HOUR, RELOAD_GENERATION,
      "after fresh: served as STALE for so long when the source fails or is late" },
    { SECTION_SOURCE, "url", OPTION_TEXT, HTTP(url), "", 0, 0, RELOAD_GENERATION,
      "HTTP API the items come from, with {id} (a call for each) or {ids} (many in one)" },
    { SECTION_SOURCE, "body", OPTION_TEXT, HTTP(body), "", 0, 0, RELOAD_GENERATION,
      "JSON to POST, with {id} or {ids} in it instead of in the url; empty: GET" },
    { SECTION_SOURCE, "key_type", OPTION_TEXT, HTTP(key_type), "text", 0, 0, RELOAD_GENERATION,
      "what an id is: text, or integer (64 bits, signed)" },
    { SECTION_SOURCE, "ids_max", OPTION_COUNT, HTTP(ids_max), "100", 1, 999, RELOAD_GENERATION,
      "most ids in one call with {ids}" },
    { SECTION_SOURCE, "match", OPTION_TEXT, HTTP(match), "id", 0, 0, RELOAD_GENERATION,
      "field of an item that holds its id, a path, in answers to {ids}" },
    { SECTION_SOURCE, "items", OPTION_TEXT, HTTP(items), "", 0, 0, RELOAD_GENERATION,
      "path of the array of items in answers to {ids}; empty: the answer is the array" },
    { SECTION_SOURCE, "headers", OPTION_HEADERS, HTTP(headers), "", 0, 0, RELOAD_GENERATION,
      "request headers, \"Name: value\"; {token} stands for what token_file holds" },
    { SECTION_SOURCE, "token_file", OPTION_PATH, HTTP(token_file), "", 0, 0, RELOAD_GENERATION,
      "file with a token, sent as Authorization: Bearer unless headers say where" },
    { SECTION_SOURCE, "ca_file", OPTION_PATH, HTTP(ca_file), "", 0, 0, RELOAD_GENERATION,
      "certificates of the authorities to trust for https; empty: the system's" },
    { SECTION_SOURCE, "verify", OPTION_SWITCH, HTTP(verify), "yes", 0, 0, RELOAD_GENERATION,
      "check the server's certificate and its name" },
    { SECTION_SOURCE, "connections", OPTION_COUNT, HTTP(connections), "64", 1, 4096, RELOAD_GENERATION,
      "most connections, and so calls at once, of one worker" },
    { SECTION_SOURCE, "connect_timeout", OPTION_MS, HTTP(connect_timeout_ms), "500ms", 1, MIN, RELOAD_GENERATION,
      "how long connecting may take, TLS handshake included" },
    { SECTION_SOURCE, "timeout", OPTION_MS, HTTP(timeout_ms), "2s", 1, HOUR, RELOAD_GENERATION,
      "how long one call may take from its sending to the last byte of its answer" },
    { SECTION_SOURCE, "header_max", OPTION_BYTES, HTTP(header_max_bytes), "16K", K, M, RELOAD_GENERATION,
      "most bytes of an answer's headers" },
    { SECTION_SOURCE, "answer_max", OPTION_BYTES, HTTP(answer_max_bytes), "4M", K, G, RELOAD_GENERATION,
      "most bytes of an answer's body" },
    { SECTION_SOURCE, "retries", OPTION_COUNT, HTTP(retries), "10", 0, 100, RELOAD_GENERATION,
      "calls that may be made again after a failure, in percent of all calls" },
    { SECTION_SOURCE, "hedges", OPTION_COUNT, HTTP(hedges), "0", 0, 100, RELOAD_GENERATION,
      "calls that may be made twice when they take longer than 95 % do, in percent of all calls" },
    { SECTION_SOURCE, "breaker_failures", OPTION_COUNT, HTTP(breaker_failures), "10", 1, 10000, RELOAD_GENERATION,
      "failed calls in a row after which nothing is asked for a while" },
    { SECTION_SOURCE, "breaker_min", OPTION_MS, HTTP(breaker_min_ms), "100ms", 1, HOUR, RELOAD_GENERATION,
      "first such pause, after which one call tries; each further failure doubles it" },
    { SECTION_SOURCE, "breaker_max", OPTION_MS, HTTP(breaker_max_ms), "1s", 1, HOUR, RELOAD_GENERATION,
      "longest such pause" },
    { SECTION_SOURCE, "refresh", OPTION_MS, HTTP(refresh_ms), "30s", 100, HOUR, RELOAD_GENERATION,
      "how often the url's host name is resolved again" },

    { SECTION_PART, "source", OPTION_TEXT, PART(source), "", 0, 0, RELOAD_GENERATION,
      "name of the source section the part comes from; required" },
    { SECTION_PART, "key", OPTION_TEXT, PART(key), "id", 0, 0, RELOAD_GENERATION,
      "what the source is asked for: id, or a field of another part, PART.FIELD" },
    { SECTION_PART, "merge", OPTION_SWITCH, PART(merge), "", 0, 0, RELOAD_GENERATION,
      "its fields stand at the top of the item; default: yes for the part called base" },
    { SECTION_PART, "required", OPTION_SWITCH, PART(required), "", 0, 0, RELOAD_GENERATION,
      "without it there is no item; default: yes for the merged part" },
    { SECTION_PART, "budget", OPTION_MS, PART(budget_ms), "0", 0, HOUR, RELOAD_GENERATION,
      "how long it is waited for; 0: until the request's deadline" },
};
/* clang-format on */

const struct option *
option_table(size_t *n)
{
    *n = ARRAY_LEN(options);
    return options;
}

const struct option *
option_find(enum section section, const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i].section == section && strcmp(options[i].name, name) == 0)
            return &options[i];
    }
    return NULL;
}

const char *
section_name(enum section section)
{
    return sections[section].name;
}

bool
section_titled(enum section section)
{
    return sections[section].titled;
}

enum section
section_parent(enum section section)
{
    return sections[section].parent;
}

bool
section_title_valid(const char *title)
{
    size_t n = strlen(title);

    return n >= 1 && n <= SECTION_TITLE_MAX &&
           strspn(title, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789_-") == n;
}

bool
section_find(const char *name, enum section *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(sections); i++) {
        if (strcmp(sections[i].name, name) == 0) {
            *out = (enum section)i;
            return true;
        }
    }
    return false;
}

bool
option_concerns(const struct option *o, enum config_source_kind kind)
{
    bool table = o->offset >= SOURCE(database) && o->offset < SOURCE(http);
    bool url = o->offset >= SOURCE(http) &&
               o->offset < SOURCE(http) + sizeof(struct config_http);

    if (o->section != SECTION_SOURCE || !(table || url))
        return true;
    return kind == CONFIG_TABLE ? table : url;
}

bool
option_is_list(const struct option *o)
{
    return o->type == OPTION_LISTEN || o->type == OPTION_NAMES ||
           o->type == OPTION_HEADERS;
}

void
option_append_name(const struct option *o, struct buf *out)
{
    if (o->section != SECTION_TOP)
        buf_append_fmt(out, "%s.", sections[o->section].name);
    buf_append_span(out, span_str(o->name));
}

void
option_append_expected(const struct option *o, struct buf *out)
{
    char low[VALUE_TEXT], high[VALUE_TEXT];

    switch (o->type) {
    case OPTION_COUNT:
        buf_append_fmt(out, "a number from %" PRIu64 " to %" PRIu64, o->min, o->max);
        break;
    case OPTION_MS:
        buf_append_fmt(out, "a duration such as \"250ms\" from %s to %s",
                       value_format_ms(o->min, low), value_format_ms(o->max, high));
        break;
    case OPTION_BYTES:
        buf_append_fmt(out, "a size such as \"64K\" from %s to %s",
                       value_format_bytes(o->min, low), value_format_bytes(o->max, high));
        break;
    case OPTION_LEVEL:
        BUF_APPEND_LIT(out, "error, warn, info or debug");
        break;
    case OPTION_ACCESS:
        BUF_APPEND_LIT(out, "nobody, local or anyone");
        break;
    case OPTION_SWITCH:
        BUF_APPEND_LIT(out, "yes or no");
        break;
    case OPTION_PATH:
        BUF_APPEND_LIT(out, "a path of less than 4096 bytes");
        break;
    case OPTION_NAME:
    case OPTION_NAMES:
        BUF_APPEND_LIT(out, "a name of 1 to 64 characters in UTF-8");
        break;
    case OPTION_TEXT:
    case OPTION_SECRET:
        BUF_APPEND_LIT(out, "a text");
        break;
    case OPTION_LISTEN:
        BUF_APPEND_LIT(out, "an address");
        break;
    case OPTION_HEADERS:
        BUF_APPEND_LIT(out,
                       "a header such as \"Name: value\", none that frames a request "
                       "(Host, Content-Length, Connection, ...)");
        break;
    }
}
