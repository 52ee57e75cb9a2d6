/*
 * store.c - the load table's items into a memcached or a Redis.
 *
 * One blocking connection, BATCH requests at a time and then their answers: little
 * enough that both fit into the sockets' buffers, or both ends would wait to write.
 */
#include "tests/load/store.h"

#include "common/buf.h"
#include "common/net.h"
#include "tests/load/dialect.h"
#include "tests/load/row.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64

static int
store_connect(const struct plan *plan)
{
    struct net_addr addr;
    const char *why = NULL;
    int fd;

    if (!net_addr_parse(plan->address, &addr, &why)) {
        fprintf(stderr, "loadgen: address %s: %s\n", plan->address, why);
        return -1;
    }
    fd = socket(addr.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || connect(fd, (const struct sockaddr *)&addr.ss, addr.len) == -1) {
        fprintf(stderr, "loadgen: %s: %s\n", plan->address, strerror(errno));
        if (fd != -1)
            close(fd);
        return -1;
    }
    return fd;
}

static bool
send_all(int fd, struct span bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes = span_of(bytes.p + n, bytes.n - (size_t)n);
    }
    return true;
}

/* 'n' times the answer that says "stored"? */
static bool
all_stored(int fd, const struct dialect *dialect, size_t n)
{
    char answer[16];

    for (; n > 0; n--) {
        if (recv(fd, answer, dialect->stored.n, MSG_WAITALL) !=
            (ssize_t)dialect->stored.n)
            return false;
        if (!span_equal(span_of(answer, dialect->stored.n), dialect->stored))
            return false;
    }
    return true;
}

int
store_run(const struct plan *plan)
{
    struct buf out = BUF_INIT;
    char item[ROW_ITEM_MAX];
    int fd = store_connect(plan);
    uint32_t id = 1, first;
    bool ok = fd != -1;

    while (ok && id <= plan->rows) {
        buf_clear(&out);
        for (first = id; id <= plan->rows && id - first < BATCH; id++)
            plan->dialect->store(&out, id, span_of(item, row_item(id, item)));
        ok = !buf_failed(&out) && send_all(fd, buf_span(&out)) &&
             all_stored(fd, plan->dialect, id - first);
        if (!ok)
            fprintf(stderr, "loadgen: %s did not store items %u to %u\n", plan->address,
                    first, id - 1);
    }
    buf_fini(&out);
    if (fd != -1)
        close(fd);
    return ok ? 0 : -1;
}
