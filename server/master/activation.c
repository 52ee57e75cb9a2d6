/*
 * activation.c - listening sockets that a service manager made before us.
 */
#include "server/master/activation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 64

int
activation_take(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    long n = 0;

    if (pid != NULL && fds != NULL && strtol(pid, NULL, 10) == (long)getpid())
        n = strtol(fds, NULL, 10);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return n < 0 || n > DESCRIPTORS_MAX ? 0 : (int)n;
}

static int
socket_fact(int fd, int which)
{
    int value = -1;
    socklen_t n = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, which, &value, &n) == 0 ? value : -1;
}

bool
activation_check(int fd, const char **why)
{
    int family = socket_fact(fd, SO_DOMAIN), flags;

    *why = NULL;
    if (family == -1)
        *why = "is no socket";
    else if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        *why = "is neither a TCP nor a unix socket";
    else if (socket_fact(fd, SO_TYPE) != SOCK_STREAM)
        *why = "is no stream socket";
    else if (socket_fact(fd, SO_ACCEPTCONN) != 1)
        *why = "does not listen";
    else if ((flags = fcntl(fd, F_GETFL)) == -1 ||
             fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
             fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
        *why = "cannot be made non-blocking";
    return *why == NULL;
}
