/*
 * resolve.c - database host names become numbers.
 *
 * getaddrinfo may block for many seconds, so it runs here, in the master, before
 * anyone serves; workers connect to numeric addresses only.
 */
#include "common/log.h"
#include "server/config/config.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static void
forget_addrs(struct config_database *d)
{
    while (d->nhost_addrs > 0)
        free(d->host_addrs[--d->nhost_addrs]);
}

static bool
keep_addr(struct config_database *d, const struct net_addr *a)
{
    char text[NI_MAXHOST];
    size_t i;

    if (getnameinfo((const struct sockaddr *)&a->ss, a->len, text, sizeof(text), NULL, 0,
                    NI_NUMERICHOST) != 0)
        return true;
    for (i = 0; i < d->nhost_addrs; i++) {
        if (strcmp(d->host_addrs[i], text) == 0)
            return true;
    }
    if ((d->host_addrs[d->nhost_addrs] = strdup(text)) == NULL)
        return false;
    d->nhost_addrs++;
    return true;
}

static bool
resolve_one(struct config_database *d, struct buf *error)
{
    struct net_addr found[CONFIG_HOST_ADDRS];
    const char *why = "no address";
    char shown[LOG_ESCAPE_SIZE];
    int i, n;

    forget_addrs(d);
    if (d->host == NULL)
        return true;
    n = net_resolve(d->host, (uint16_t)d->port, found, ARRAY_LEN(found), &why);
    for (i = 0; i < n; i++) {
        if (!keep_addr(d, &found[i]))
            why = "out of memory";
    }
    if (d->nhost_addrs > 0)
        return true;
    buf_clear(error);
    buf_append_fmt(error, "database %s: cannot resolve \"%s\": %s", d->name,
                   log_escape(span_str(d->host), shown), why);
    return false;
}

bool
config_resolve(struct config *c, struct buf *error)
{
    size_t i;

    for (i = 0; i < c->ndatabases; i++) {
        if (!resolve_one(&c->databases[i], error))
            return false;
    }
    return true;
}
