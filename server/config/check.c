/*
 * check.c - what one value alone cannot tell.
 *
 * A refusal names the line of the value at fault, or of its section when the fault
 * is that something is missing.
 */
#include "server/config/check.h"

#include "common/log_sink.h"

#include "server/config/check_rules.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* Where Debian's MariaDB listens. */
#define USUAL_SOCKET "/run/mysqld/mysqld.sock"

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

/* Less would be more bookkeeping than items. */
#define CACHE_LEAST ((size_t)1 << 20)

static bool
check_cache(struct check *k)
{
    if (k->c->cache_bytes == 0 || k->c->cache_bytes >= CACHE_LEAST)
        return true;
    return REFUSE(k, SECTION_CACHE, "", "size", "expected 0 for none, or at least 1M");
}

static bool
check_top(struct check *k)
{
    const struct config *c = k->c;

    if (!log_sink_valid(c->log))
        return REFUSE(
            k, SECTION_TOP, "", "log",
            "expected \"stderr\", \"syslog\" or the absolute path of a file, got "
            "\"%s\"",
            c->log);
    return check_listens(k) && check_cache(k) &&
           check_order(k, SECTION_TOP, "", "respawn_min", "respawn_max",
                       c->respawn_min_ms <= c->respawn_max_ms) &&
           check_order(k, SECTION_LIMITS, "", "output_soft", "output_hard",
                       c->output_soft_bytes <= c->output_hard_bytes) &&
           check_order(k, SECTION_LIMITS, "", "reply", "output_hard",
                       c->reply_max_bytes <= c->output_hard_bytes);
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
check_there(struct check *k, enum section section, size_t n)
{
    if (n > 0)
        return true;
    return REFUSE(k, section, "", "",
                  "none is defined; give a \"%s\" section in a file (-c FILE), or "
                  "--database URL --table NAME",
                  section_name(section));
}

/* A server with nothing but HTTP sources can do without. */
static bool
needs_database(const struct settings *s)
{
    size_t i, urls = 0;

    for (i = 0; i < s->nsections; i++) {
        if (s->sections[i].section != SECTION_SOURCE)
            continue;
        if (settings_find(s, SECTION_SOURCE, s->sections[i].title, "url") == NULL)
            return true;
        urls++;
    }
    return urls == 0;
}

bool
config_check(struct config *c, const struct settings *s, struct buf *error)
{
    struct check k = { c, s, error };
    size_t i;

    if (!check_top(&k) ||
        (needs_database(s) && !check_there(&k, SECTION_DATABASE, c->ndatabases)) ||
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
    return check_views(&k);
}
