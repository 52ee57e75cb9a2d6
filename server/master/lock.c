/*
 * lock.c - one server per pid file.
 */
#include "server/master/lock.h"

#include "common/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
lock_open(const char *pid_file, int flags)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s.lock", pid_file) >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
}

bool
lock_stands(int fd, const char *pid_file)
{
    char path[PATH_MAX];
    struct stat ours, theirs;

    snprintf(path, sizeof(path), "%s.lock", pid_file);
    return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

int
lock_take(const char *pid_file)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd;

    while ((fd = lock_open(pid_file, O_RDWR | O_CREAT)) != -1) {
        if (fcntl(fd, F_OFD_SETLK, &whole) == -1) {
            net_close_keep_errno(fd);
            if (errno == EAGAIN || errno == EACCES)
                errno = EWOULDBLOCK;
            return -1;
        }
        if (lock_stands(fd, pid_file))
            return fd;
        close(fd); /* removed between the two calls: what we locked is nobody's */
    }
    return -1;
}

enum lock_state
lock_look(const char *pid_file)
{
    struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    int fd = lock_open(pid_file, O_RDONLY), got;

    if (fd == -1)
        return errno == ENOENT ? LOCK_FREE : LOCK_UNKNOWN;
    got = fcntl(fd, F_OFD_GETLK, &whole);
    net_close_keep_errno(fd);
    if (got == -1)
        return LOCK_UNKNOWN;
    return whole.l_type == F_UNLCK ? LOCK_FREE : LOCK_HELD;
}
