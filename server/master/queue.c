/*
 * queue.c - who waits to be accepted.
 */
#include "server/master/queue.h"

#include "common/log.h"
#include "server/stats/scoreboard.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define LOOK_EVERY (1 * USEC_PER_SEC)

/* false: not a TCP socket. */
static bool
queue_of(int fd, uint32_t *waiting, uint32_t *room)
{
    struct tcp_info info;
    socklen_t n = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == -1)
        return false;
    *waiting = info.tcpi_unacked;
    *room = info.tcpi_sacked;
    return *room != 0;
}

void
queue_announce(int listen_fd, const char *address, unsigned wanted)
{
    uint32_t waiting, room;

    if (queue_of(listen_fd, &waiting, &room) && room < wanted)
        log_warn("accept queue address=%s room=%u wanted=%u: net.core.somaxconn, or who "
                 "made it, allows no more",
                 address, room, wanted);
}

static void
queue_judge(struct queue_watch *q, uint32_t waiting, uint32_t room)
{
    /* The kernel takes one more than there is room for. */
    if (waiting >= room && !q->full)
        log_error("accept queue full waiting=%u room=%u: clients are being turned away",
                  waiting, room);
    else if (waiting >= room / 2 && !q->half)
        log_warn("accept queue half full waiting=%u room=%u", waiting, room);
    else if (waiting < room / 4 && q->half)
        log_info("accept queue calm again waiting=%u", waiting);
    q->full = waiting >= room || (q->full && waiting >= room / 4);
    q->half = waiting >= room / 2 || (q->half && waiting >= room / 4);
}

void
queue_look(struct queue_watch *q, const int *fds, size_t n, struct scoreboard *board,
           usec_t now)
{
    uint32_t waiting, room, most = 0, most_room = 0;
    size_t i;

    if (now - q->looked < LOOK_EVERY)
        return;
    q->looked = now;
    for (i = 0; i < n; i++) {
        if (!queue_of(fds[i], &waiting, &room))
            continue;
        if (most_room == 0 || (uint64_t)waiting * most_room > (uint64_t)most * room) {
            most = waiting;
            most_room = room;
        }
    }
    scoreboard_set_queue(board, most, most_room);
    if (most_room > 0)
        queue_judge(q, most, most_room);
}
