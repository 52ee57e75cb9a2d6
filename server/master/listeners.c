/*
 * listeners.c - the sockets that all workers share.
 *
 * An address is known by its text: "127.0.0.1:0" of the next configuration is the socket
 * that "127.0.0.1:0" of this one got.  A text that stands twice means two sockets, the
 * first of one configuration being the first of the other.
 */
#include "server/master/listeners.h"

#include "common/log.h"
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

/* Which of the first 'n' listeners stands for the i-th address of 'config'; 'n': none. */
static size_t
listener_find(const struct listeners *l, size_t n, const struct config *config, size_t i)
{
    const char *text = config->listens[i].text;
    size_t same = 0, j;

    for (j = 0; j < i; j++)
        same += strcmp(config->listens[j].text, text) == 0;
    for (j = 0; j < n; j++) {
        if (strcmp(l->list[j].text, text) == 0 && same-- == 0)
            break;
    }
    return j;
}

/* Takes the descriptor. */
static int
listener_add(struct listeners *l, const char *text, const struct net_addr *addr, int fd)
{
    struct listener *new = &l->list[l->n];

    if (l->n == LISTENERS_MAX || (new->text = strdup(text)) == NULL) {
        close(fd);
        errno = ENOMEM;
        return -1;
    }
    new->addr = *addr;
    new->fd = fd;
    l->n++;
    return 0;
}

static void
listener_close(const struct listeners *l, const struct listener *one)
{
    const struct net_addr *a = &one->addr;

    close(one->fd);
    if (!l->given && a->ss.ss_family == AF_UNIX)
        unlink(((const struct sockaddr_un *)(const void *)&a->ss)->sun_path);
    free(one->text);
}

int
listeners_open(struct listeners *l, const struct config *config, struct buf *error)
{
    size_t had = l->n, i;
    int fd;

    for (i = 0; i < config->nlistens && !l->given; i++) {
        const struct config_listen *want = &config->listens[i];
        size_t at = listener_find(l, had, config, i);

        if (at < had) {
            listen(l->list[at].fd, (int)config->backlog); /* it may have changed */
            continue;
        }
        fd = net_listen(&want->addr, (int)config->backlog);
        if (fd == -1 || listener_add(l, want->text, &want->addr, fd) == -1)
            goto fail;
    }
    for (i = had; i < l->n; i++)
        listener_announce(l->list[i].fd, config->backlog);
    return 0;
fail:
    buf_append_fmt(error, "cannot listen on %s: %s", config->listens[i].text,
                   strerror(errno));
    while (l->n > had)
        listener_close(l, &l->list[--l->n]);
    return -1;
}

int
listeners_take(struct listeners *l, int n, unsigned backlog, struct buf *error)
{
    struct net_addr real = { .len = sizeof(real.ss) };
    const char *why;
    int i, fd;

    log_info("listening on what the service manager gave, not on \"listen\"");
    l->given = true;
    for (i = 0; i < n; i++) {
        fd = ACTIVATION_FIRST_FD + i;
        if (!activation_check(fd, &why)) {
            buf_append_fmt(error, "descriptor %d from the service manager %s", fd, why);
            return -1;
        }
        if (listener_add(l, "", &real, fd) == -1) {
            BUF_APPEND_LIT(error, "no memory");
            return -1;
        }
        listener_announce(fd, backlog);
    }
    return 0;
}

int
listeners_adopt(struct listeners *l, const char *text, int fd)
{
    struct net_addr addr = { .len = 0 };
    const char *why;

    /* Those that the service manager gave have no text, and no file of ours. */
    if (!l->given && !net_addr_parse(text, &addr, &why)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return listener_add(l, text, &addr, fd);
}

size_t
listeners_of(const struct listeners *l, const struct config *config, int *fds)
{
    size_t i, at, n = 0;

    if (config == NULL || l->given) {
        for (i = 0; i < l->n; i++)
            fds[i] = l->list[i].fd;
        return l->n;
    }
    for (i = 0; i < config->nlistens; i++) {
        if ((at = listener_find(l, l->n, config, i)) < l->n)
            fds[n++] = l->list[at].fd;
    }
    return n;
}

/* Is the i-th listener one that 'config' asks for? */
static bool
listener_is_of(const struct listeners *l, size_t i, const struct config *config)
{
    size_t j;

    if (l->given)
        return true;
    for (j = 0; j < config->nlistens; j++) {
        if (listener_find(l, l->n, config, j) == i)
            return true;
    }
    return false;
}

/* Whoever stands in the accept queue when the last copy of the socket is closed is reset,
 * and in one end of 25 somebody came between a worker's last accept and its close
 * (measured).  So nobody comes any more.  What the service manager gave is left alone: it
 * lives on with its queue. */
static void
listener_end(const struct listeners *l, const struct listener *one)
{
    if (!l->given && one->addr.ss.ss_family != AF_UNIX)
        net_admit_no_more(one->fd);
    listener_close(l, one);
}

void
listeners_keep(struct listeners *l, const struct config *config)
{
    bool keep[LISTENERS_MAX];
    size_t i, n = 0;

    for (i = 0; i < l->n; i++)
        keep[i] = listener_is_of(l, i, config);
    for (i = 0; i < l->n; i++) {
        if (keep[i]) {
            l->list[n++] = l->list[i];
            continue;
        }
        log_info("no longer listening address=%s", l->list[i].text);
        listener_end(l, &l->list[i]);
    }
    l->n = n;
}

void
listeners_forsake(const struct listeners *l, const struct config *config)
{
    size_t i;

    for (i = 0; i < l->n; i++) {
        if (!listener_is_of(l, i, config))
            close(l->list[i].fd);
    }
}

void
listeners_close(struct listeners *l)
{
    while (l->n > 0)
        listener_end(l, &l->list[--l->n]);
}
