/*
 * listeners.c - the sockets that all workers share.
 */
#include "server/master/listeners.h"

#include "common/log.h"
#include "common/net.h"
#include "server/master/activation.h"
#include "server/master/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static void
listener_announce(int fd, unsigned backlog)
{
    struct net_addr real = { .len = sizeof(real.ss) };
    char text[NET_ADDR_TEXT];

    if (getsockname(fd, (struct sockaddr *)&real.ss, &real.len) == -1)
        return;
    log_info("listening address=%s", net_addr_format(&real, text));
    queue_announce(fd, text, backlog);
}

static int
listener_bind(const struct config_listen *listen, int backlog)
{
    int fd = net_listen(&listen->addr, backlog);

    if (fd == -1)
        log_error("cannot listen on %s: %s", listen->text, strerror(errno));
    return fd;
}

static int
listener_take(int fd)
{
    const char *why;

    if (activation_check(fd, &why))
        return fd;
    log_error("descriptor %d from the service manager %s", fd, why);
    return -1;
}

int
listeners_open(struct listeners *l, const struct config *config, int ngiven)
{
    size_t i, n = ngiven > 0 ? (size_t)ngiven : config->nlistens;

    *l = (struct listeners){ .config = config, .given = ngiven > 0 };
    if ((l->fds = calloc(n, sizeof(*l->fds))) == NULL) {
        log_error("listen: no memory");
        return -1;
    }
    if (l->given)
        log_info("listening on what the service manager gave, not on \"listen\"");
    for (i = 0; i < n; i++) {
        l->fds[i] = l->given ? listener_take(ACTIVATION_FIRST_FD + (int)i)
                             : listener_bind(&config->listens[i], (int)config->backlog);
        if (l->fds[i] == -1) {
            listeners_close(l);
            return -1;
        }
        l->n++;
        listener_announce(l->fds[i], config->backlog);
    }
    return 0;
}

void
listeners_close(struct listeners *l)
{
    size_t i;

    for (i = 0; i < l->n; i++) {
        const struct net_addr *a = &l->config->listens[i].addr;

        close(l->fds[i]);
        if (!l->given && a->ss.ss_family == AF_UNIX)
            unlink(((const struct sockaddr_un *)(const void *)&a->ss)->sun_path);
    }
    free(l->fds);
    l->fds = NULL;
    l->n = 0;
}
