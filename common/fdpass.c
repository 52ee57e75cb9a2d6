/*
 * fdpass.c - descriptors as part of a message.
 */
#include "common/fdpass.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

ssize_t
fdpass_send(int sock, const struct iovec *iov, size_t niov, const int *fds, size_t nfds)
{
    union control control;
    struct msghdr message = { .msg_iovlen = niov };
    struct cmsghdr *c;

    assert(nfds <= FDPASS_MAX);
    /* sendmsg reads only; its struct serves recvmsg too. */
    memcpy(&message.msg_iov, &iov, sizeof(iov));
    if (nfds > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
    }
    return sendmsg(sock, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t
fdpass_recv(int sock, void *data, size_t size, int fds[FDPASS_MAX], size_t *nfds)
{
    union control control;
    struct iovec iov = { data, size };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *c;
    ssize_t n = recvmsg(sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    size_t i;

    *nfds = 0;
    if (n == -1)
        return -1;
    for (c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), *nfds * sizeof(int));
    }
    /* Some, but not all: nobody could tell which. */
    if (message.msg_flags & MSG_CTRUNC) {
        for (i = 0; i < *nfds; i++)
            close(fds[i]);
        *nfds = 0;
    }
    return n;
}
