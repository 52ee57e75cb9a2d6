/*
 * check.c - what one value alone cannot tell.
 *
 * A refusal names the line of the value at fault, or of its section when the fault
 * is that something is missing.
 */
#include "server/config/check.h"

#include "common/log.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* Where Debian's MariaDB listens. */
#define USUAL_SOCKET "/run/mysqld/mysqld.sock"

#define SECTION_NAME_MAX 64
#define SECTION_NAME_CHARS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct check {
    struct config *c;
    const struct settings *s;
    struct buf *error;
};

/* The last origin that 'title' and 'name' have; that of the section when the value
 * is a default; that of the whole file otherwise. */
static struct origin
origin_of(const struct check *k, enum section section, const char *title,
          const char *name)
{
    const struct setting *one = settings_find(k->s, section, title, name);
    const struct declared *whole = settings_find_section(k->s, section, title);
    struct origin origin = { NULL, 0, NULL };

    if (one != NULL)
        return one->origin;
    if (whole != NULL)
        return whole->origin;
    if (k->c->path[0] != '\0')
        origin.path = k->c->path;
    return origin;
}

/* settings_blame at the origin of the option; always false. */
#define REFUSE(k, section, title, name, ...)                                           \
    (settings_blame((k)->error, origin_of((k), (section), (title), (name)), (section), \
                    (title), (name), __VA_ARGS__),                                     \
     false)

static bool
check_order(struct check *k, enum section section, const char *title, const char *low,
            const char *high, bool ordered)
{
    const char *name = high;

    if (ordered)
        return true;
    /* Blame the one of the two that was written. */
    if (settings_find(k->s, section, title, high) == NULL)
        name = low;
    return REFUSE(k, section, title, name, "expected %s to be at most %s", low, high);
}

static in_port_t
port_of(const struct net_addr *a)
{
    if (a->ss.ss_family == AF_INET)
        return ((const struct sockaddr_in *)&a->ss)->sin_port;
    if (a->ss.ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)&a->ss)->sin6_port;
    return 1;
}

static bool
check_listens(struct check *k)
{
    struct config *c = k->c;
    size_t i, j;

    for (i = 0; i < c->nlistens; i++) {
        const struct net_addr *a = &c->listens[i].addr;

        for (j = 0; j < i; j++) {
            const struct net_addr *b = &c->listens[j].addr;

            /* Port 0 is another port each time. */
            if (a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0 &&
                port_of(a) != 0)
                return REFUSE(k, SECTION_TOP, "", "listen", "\"%s\" is listed twice",
                              c->listens[i].text);
        }
    }
    return true;
}

static bool
check_top(struct check *k)
{
    const struct config *c = k->c;

    return check_listens(k) &&
           check_order(k, SECTION_TOP, "", "respawn_min", "respawn_max",
                       c->respawn_min_ms <= c->respawn_max_ms) &&
           check_order(k, SECTION_LIMITS, "", "output_soft", "output_hard",
                       c->output_soft_bytes <= c->output_hard_bytes) &&
           check_order(k, SECTION_LIMITS, "", "reply", "output_hard",
                       c->reply_max_bytes <= c->output_hard_bytes);
}

/* Names of sources stand before a colon or a point in clients' keys. */
static bool
check_section_name(struct check *k, enum section section, const char *name)
{
    size_t n = strlen(name);

    if (n >= 1 && n <= SECTION_NAME_MAX && strspn(name, SECTION_NAME_CHARS) == n)
        return true;
    return REFUSE(k, section, name, "",
                  "expected a name of 1 to 64 letters, digits, \"_\" and \"-\"");
}

/* Host and socket to NULL where they are not set; exactly one remains. */
static bool
check_where(struct check *k, struct config_database *d)
{
    const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (d->host[0] != '\0' && d->socket[0] != '\0')
        return REFUSE(k, SECTION_DATABASE, d->name, "socket",
                      "expected either host or socket, got both");
    if (strlen(d->socket) > room)
        return REFUSE(k, SECTION_DATABASE, d->name, "socket",
                      "expected a socket path of at most %zu bytes", room);
    if (d->host[0] == '\0') {
        free(d->host);
        d->host = NULL;
        if (d->socket[0] != '\0')
            return true;
        free(d->socket);
        d->socket = strdup(USUAL_SOCKET);
        return d->socket != NULL;
    }
    free(d->socket);
    d->socket = NULL;
    return true;
}

static bool
check_database(struct check *k, struct config_database *d)
{
    if (!check_section_name(k, SECTION_DATABASE, d->name))
        return false;
    if (d->schema[0] == '\0')
        return REFUSE(k, SECTION_DATABASE, d->name, "schema",
                      "required: the schema that holds the tables");
    if (d->option_file[0] == '\0') {
        free(d->option_file);
        d->option_file = NULL;
    }
    return check_where(k, d) &&
           check_order(k, SECTION_DATABASE, d->name, "reconnect_min", "reconnect_max",
                       d->reconnect_min_ms <= d->reconnect_max_ms);
}

static bool
find_database(struct check *k, struct config_source *s)
{
    struct config *c = k->c;
    char shown[LOG_ESCAPE_SIZE];
    size_t i;

    if (s->database[0] == '\0' && c->ndatabases == 1) {
        free(s->database);
        s->database = strdup(c->databases[0].name);
        s->database_index = 0;
        return s->database != NULL;
    }
    if (s->database[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "database",
                      "required, as there is more than one database");
    for (i = 0; i < c->ndatabases; i++) {
        if (strcmp(c->databases[i].name, s->database) == 0) {
            s->database_index = i;
            return true;
        }
    }
    return REFUSE(k, SECTION_SOURCE, s->name, "database",
                  "expected the name of a database section, got \"%s\"",
                  log_escape(span_str(s->database), shown));
}

static bool
check_source(struct check *k, struct config_source *s)
{
    size_t i, j;

    if (!check_section_name(k, SECTION_SOURCE, s->name) || !find_database(k, s))
        return false;
    if (s->table[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "table",
                      "required: the table whose rows are the items");
    if (s->key[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "key",
                      "expected the column that identifies an item");
    for (i = 0; i < s->ncolumns; i++) {
        for (j = 0; j < i; j++) {
            if (strcmp(s->columns[i], s->columns[j]) == 0)
                return REFUSE(k, SECTION_SOURCE, s->name, "columns",
                              "\"%s\" is listed twice", s->columns[i]);
        }
    }
    return true;
}

static bool
check_there(struct check *k, enum section section, size_t n)
{
    if (n > 0)
        return true;
    return REFUSE(k, section, "", "",
                  "none is defined; give a \"%s\" section in a file (-c FILE), or "
                  "--database URL --table NAME",
                  section_name(section));
}

bool
config_check(struct config *c, const struct settings *s, struct buf *error)
{
    struct check k = { c, s, error };
    size_t i;

    if (!check_top(&k) || !check_there(&k, SECTION_DATABASE, c->ndatabases) ||
        !check_there(&k, SECTION_SOURCE, c->nsources))
        return false;
    for (i = 0; i < c->ndatabases; i++) {
        if (!check_database(&k, &c->databases[i]))
            return false;
    }
    for (i = 0; i < c->nsources; i++) {
        if (!check_source(&k, &c->sources[i]))
            return false;
    }
    return true;
}
