/*
 * echo.c - the server that looks nothing up.
 *
 * Raw epoll, one read and one write for what a client sent, no copy of the answer:
 *
 *     "fetch 7 8 9" -> three blanks -> the block for 3:  ITEM a {..} ITEM b {..} ..
 *                                                        DONE 3 0 0 ms=0.000
 * The block is made when a number of ids is first asked for and kept until another is.
 */
#include "tests/load/echo.h"

#include "common/buf.h"
#include "common/net.h"
#include "tests/load/row.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)
#define EVENTS 256
#define BACKLOG 1024

struct peer {
    int fd;
    size_t ids;     /* of the line that is not whole yet */
    struct buf out; /* what the socket had no room for */
};

struct echo {
    const struct plan *plan;
    int epoll;
    int listener;
    char *read_buffer;
    size_t block_ids;
    struct buf block;
};

void
echo_choose(uint32_t rows, double hits, uint32_t *ids, size_t n)
{
    size_t i, misses = 0;

    for (i = 0; i < n; i++) {
        if ((double)(misses + 1) <= (1 - hits) * (double)(i + 1) + 1e-9)
            ids[i] = rows + (uint32_t)++misses;
        else
            ids[i] = (uint32_t)((2 * (uint64_t)i + 1) * rows / (2 * n)) + 1;
    }
}

static void
append_position(const struct echo *e, struct buf *out, uint32_t id)
{
    char item[ROW_ITEM_MAX];

    if (id > e->plan->rows) {
        buf_append_fmt(out, "MISS %u\r\n", id);
        return;
    }
    buf_append_fmt(out, "ITEM %u ", id);
    buf_append(out, item, row_item(id, item));
    BUF_APPEND_LIT(out, "\r\n");
}

/* The answer to a request of 'n' ids. */
static struct span
block_for(struct echo *e, size_t n)
{
    uint32_t *ids;
    size_t i, misses = 0;

    if (e->block_ids == n)
        return buf_span(&e->block);
    buf_clear(&e->block);
    if ((ids = calloc(n + 1, sizeof(*ids))) == NULL)
        return span_of(NULL, 0);
    echo_choose(e->plan->rows, e->plan->hits, ids, n);
    for (i = 0; i < n; i++) {
        append_position(e, &e->block, ids[i]);
        misses += ids[i] > e->plan->rows;
    }
    buf_append_fmt(&e->block, "DONE %zu %zu 0 ms=0.000\r\n", n - misses, misses);
    free(ids);
    e->block_ids = n;
    return buf_span(&e->block);
}

static void
peer_close(struct peer *p)
{
    close(p->fd);
    buf_fini(&p->out);
    free(p);
}

/* Sends 'bytes' behind what waits; false: the peer is gone. */
static bool
peer_send(struct echo *e, struct peer *p, struct span bytes)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };
    bool waited = buf_size(&p->out) > 0;
    ssize_t n;

    if (waited) {
        buf_append_span(&p->out, bytes);
        bytes = buf_span(&p->out);
    }
    if (bytes.n == 0)
        return !buf_failed(&p->out);
    n = send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
    if (n == -1 && errno != EAGAIN && errno != EINTR)
        return false;
    if (n == -1)
        n = 0;
    if (waited)
        buf_consume(&p->out, (size_t)n);
    else
        buf_append(&p->out, bytes.p + n, bytes.n - (size_t)n);
    if (waited != (buf_size(&p->out) > 0)) {
        ev.events |= waited ? 0 : (uint32_t)EPOLLOUT;
        if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, p->fd, &ev) == -1)
            return false;
    }
    return !buf_failed(&p->out);
}

/* Counts the blanks of each line: a line of the generator's has one before each id. */
static bool
peer_answer(struct echo *e, struct peer *p, struct span in)
{
    const char *end = in.p + in.n, *at;

    for (at = in.p; at < end; at++) {
        if (*at == ' ')
            p->ids++;
        if (*at != '\n')
            continue;
        if (!peer_send(e, p, block_for(e, p->ids)))
            return false;
        p->ids = 0;
    }
    return true;
}

static void
peer_serve(struct echo *e, struct peer *p, uint32_t events)
{
    ssize_t n;

    if ((events & EPOLLOUT) != 0 && !peer_send(e, p, span_of("", 0))) {
        peer_close(p);
        return;
    }
    if ((events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    n = recv(p->fd, e->read_buffer, READ_BYTES, 0);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !peer_answer(e, p, span_of(e->read_buffer, (size_t)n)))
        peer_close(p);
}

static void
welcome(struct echo *e)
{
    struct epoll_event ev = { .events = EPOLLIN };
    /* cppcheck-suppress nullPointer ; accept4 takes NULL for "do not tell" */
    int fd = accept4(e->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *p;

    if (fd == -1)
        return;
    if ((p = calloc(1, sizeof(*p))) == NULL) {
        close(fd);
        return;
    }
    p->fd = fd;
    net_tune_client(fd);
    ev.data.ptr = p;
    if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
        peer_close(p);
}

static void
serve(struct echo *e)
{
    struct epoll_event events[EVENTS];
    int i, n;

    for (;;) {
        n = epoll_wait(e->epoll, events, EVENTS, -1);
        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                welcome(e);
            else
                peer_serve(e, events[i].data.ptr, events[i].events);
        }
    }
}

static int
echo_listen(struct echo *e)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
    struct net_addr addr;
    char text[NET_ADDR_TEXT];
    const char *why = NULL;

    if (!net_addr_parse(e->plan->address, &addr, &why)) {
        fprintf(stderr, "loadgen: address %s: %s\n", e->plan->address, why);
        return -1;
    }
    if ((e->listener = net_listen(&addr, BACKLOG)) == -1 ||
        getsockname(e->listener, (struct sockaddr *)&addr.ss, &addr.len) == -1 ||
        epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->listener, &ev) == -1) {
        fprintf(stderr, "loadgen: echo: %s\n", strerror(errno));
        return -1;
    }
    printf("%s\n", net_addr_format(&addr, text));
    return fflush(stdout) == 0 ? 0 : -1;
}

int
echo_run(const struct plan *plan)
{
    struct echo e = { .plan = plan, .listener = -1 };

    e.epoll = epoll_create1(EPOLL_CLOEXEC);
    e.read_buffer = malloc(READ_BYTES);
    if (e.epoll != -1 && e.read_buffer != NULL && echo_listen(&e) == 0)
        serve(&e);
    free(e.read_buffer);
    if (e.listener != -1)
        close(e.listener);
    if (e.epoll != -1)
        close(e.epoll);
    return -1;
}
