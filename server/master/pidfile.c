/*
 * pidfile.c - our pid where init scripts look for it.
 */
#include "server/master/pidfile.h"

#include "common/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
pidfile_write_new(const char *path)
{
    char text[32];
    int fd, n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    unlink(path);
    /* O_EXCL: never through somebody's link. */
    if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)) ==
        -1)
        return -1;
    if (write(fd, text, (size_t)n) != n) {
        net_close_keep_errno(fd);
        return -1;
    }
    return close(fd);
}

int
pidfile_write(const char *path)
{
    char aside[PATH_MAX];
    int error;

    if (path[0] == '\0')
        return 0;
    snprintf(aside, sizeof(aside), "%s.%d", path, (int)getpid());
    if (pidfile_write_new(aside) == 0 && rename(aside, path) == 0)
        return 0;
    error = errno;
    unlink(aside);
    errno = error;
    return -1;
}

bool
pidfile_is_ours(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool ours;

    if (fd == -1)
        return false;
    ours = read(fd, text, sizeof(text) - 1) > 0 && atoi(text) == (int)getpid();
    close(fd);
    return ours;
}

void
pidfile_remove(const char *path)
{
    if (path[0] != '\0' && pidfile_is_ours(path))
        unlink(path);
}
