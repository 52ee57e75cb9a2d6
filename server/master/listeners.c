/*
 * listeners.c - the sockets that all workers share.
 */
#include "server/master/listeners.h"

#include "common/log.h"
#include "common/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static void
listener_announce(int fd)
{
    struct net_addr real = { .len = sizeof(real.ss) };
    char text[NET_ADDR_TEXT];

    if (getsockname(fd, (struct sockaddr *)&real.ss, &real.len) == 0)
        log_info("listening address=%s", net_addr_format(&real, text));
}

int
listeners_open(struct listeners *l, const struct config *config)
{
    size_t i;

    l->config = config;
    l->n = 0;
    if ((l->fds = calloc(config->nlistens, sizeof(*l->fds))) == NULL) {
        log_error("listen: no memory");
        return -1;
    }
    for (i = 0; i < config->nlistens; i++) {
        l->fds[i] = net_listen(&config->listens[i].addr, (int)config->backlog);
        if (l->fds[i] == -1) {
            log_error("cannot listen on %s: %s", config->listens[i].text,
                      strerror(errno));
            listeners_close(l);
            return -1;
        }
        l->n++;
        listener_announce(l->fds[i]);
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
        if (a->ss.ss_family == AF_UNIX)
            unlink(((const struct sockaddr_un *)(const void *)&a->ss)->sun_path);
    }
    free(l->fds);
    l->fds = NULL;
    l->n = 0;
}
