/*
 * log_sink.c - where log lines go.
 *
 * Standard error is shared with whoever started us: it is not ours to make non-blocking.
 * A pipe or a terminal is therefore opened once more through /proc, which gives a
 * description of our own; where that is refused, poll(2) is asked first (two processes may
 * then both be told that there is room for one).
 */
#include "common/log_sink.h"

#include "common/clock.h"
#include "common/net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSLOG_SOCKET "/dev/log"
#define SYSLOG_AGAIN (1 * USEC_PER_SEC)
#define FILE_MODE 0640

enum way {
    WAY_POLL_AND_WRITE, /* somebody else's description, which may block */
    WAY_WRITE,          /* a file, or a description of our own */
    WAY_SEND,           /* a socket */
};

enum target_kind {
    TARGET_STDERR,
    TARGET_FILE,
    TARGET_SYSLOG,
};

static struct {
    enum target_kind kind;
    char path[4096];
    int fd;
    enum way way;
    enum log_form form;
    bool torn; /* the last line was cut: the next begins on a line of its own */
    usec_t next_connect;
} sink = { .fd = STDERR_FILENO };

/* --- kinds ---------------------------------------------------------------------------- */

static enum target_kind
kind_of(const char *target, const char **path)
{
    *path = SYSLOG_SOCKET;
    if (strcmp(target, "stderr") == 0)
        return TARGET_STDERR;
    if (strcmp(target, "syslog") == 0)
        return TARGET_SYSLOG;
    if (strncmp(target, "syslog:", 7) == 0) {
        *path = target + 7;
        return TARGET_SYSLOG;
    }
    *path = target;
    return TARGET_FILE;
}

bool
log_sink_valid(const char *target)
{
    const char *path;
    enum target_kind kind = kind_of(target, &path);
    size_t room = kind == TARGET_FILE ? sizeof(sink.path)
                                      : sizeof(((struct sockaddr_un *)0)->sun_path);

    return kind == TARGET_STDERR ||
           (path[0] == '/' && path[1] != '\0' && strlen(path) < room);
}

static void
sink_use(int fd, enum way way, enum log_form form)
{
    if (sink.fd > STDERR_FILENO && sink.fd != fd)
        close(sink.fd);
    sink.fd = fd;
    sink.way = way;
    sink.form = form;
    sink.torn = false;
}

/* JOURNAL_STREAM names device and inode of the journal's socket: anything else that
 * standard error was redirected to is not the journal. */
static bool
is_journal(const struct stat *st)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;

    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           device == st->st_dev && inode == st->st_ino;
}

static void
stderr_open(void)
{
    struct stat st;
    int fd;

    if (fstat(STDERR_FILENO, &st) == -1 || S_ISREG(st.st_mode)) {
        sink_use(STDERR_FILENO, WAY_WRITE, LOG_FORM_PLAIN);
    } else if (S_ISSOCK(st.st_mode)) {
        sink_use(STDERR_FILENO, WAY_SEND,
                 is_journal(&st) ? LOG_FORM_JOURNAL : LOG_FORM_PLAIN);
    } else {
        fd = open("/proc/self/fd/2",
                  O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        sink_use(fd == -1 ? STDERR_FILENO : fd, fd == -1 ? WAY_POLL_AND_WRITE : WAY_WRITE,
                 LOG_FORM_PLAIN);
    }
}

/* No link is followed: a master that is root opens files in a directory that may belong
 * to the workers' user. */
static int
file_open(const char *path)
{
    return open(path,
                O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW |
                    O_NONBLOCK,
                FILE_MODE);
}

static int
syslog_connect(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1)
        return -1;
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    net_close_keep_errno(fd);
    return -1;
}

/* --- opening --------------------------------------------------------------------------- */

static int
sink_open_kind(enum target_kind kind, const char *path)
{
    int fd;

    switch (kind) {
    case TARGET_STDERR:
        stderr_open();
        return 0;
    case TARGET_FILE:
        if ((fd = file_open(path)) == -1)
            return -1;
        sink_use(fd, WAY_WRITE, LOG_FORM_PLAIN);
        return 0;
    case TARGET_SYSLOG:
        if ((fd = syslog_connect(path)) == -1)
            return -1;
        sink_use(fd, WAY_SEND, LOG_FORM_SYSLOG);
        return 0;
    }
    return -1;
}

int
log_sink_open(const char *target)
{
    const char *path;
    enum target_kind kind = kind_of(target, &path);

    if (!log_sink_valid(target)) {
        errno = EINVAL;
        return -1;
    }
    if (sink_open_kind(kind, path) == -1)
        return -1;
    sink.kind = kind;
    snprintf(sink.path, sizeof(sink.path), "%s", path);
    return 0;
}

int
log_sink_reopen(void)
{
    return sink_open_kind(sink.kind, sink.path);
}

int
log_sink_fd(void)
{
    return sink.kind == TARGET_FILE ? sink.fd : -1;
}

void
log_sink_take(int fd)
{
    sink_use(fd, WAY_WRITE, LOG_FORM_PLAIN);
}

bool
log_sink_is_stderr(void)
{
    return sink.kind == TARGET_STDERR;
}

enum log_form
log_sink_form(void)
{
    return sink.form;
}

/* --- writing --------------------------------------------------------------------------- */

static bool
has_room(void)
{
    struct pollfd p = { .fd = sink.fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static ssize_t
sink_put(const char *line, size_t n)
{
    switch (sink.way) {
    case WAY_SEND:
        return send(sink.fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WAY_POLL_AND_WRITE:
        return has_room() ? write(sink.fd, line, n) : -1;
    case WAY_WRITE:
        return write(sink.fd, line, n);
    }
    return -1;
}

/* The system log was restarted, or is away: looks for it once a second. */
static bool
syslog_again(const char *line, size_t n)
{
    usec_t now = clock_now();
    int fd;

    if (errno == EAGAIN || errno == ENOBUFS || now < sink.next_connect)
        return false;
    sink.next_connect = now + SYSLOG_AGAIN;
    if ((fd = syslog_connect(sink.path)) == -1)
        return false;
    sink_use(fd, WAY_SEND, LOG_FORM_SYSLOG);
    return sink_put(line, n) == (ssize_t)n;
}

bool
log_sink_write(const char *line, size_t n)
{
    ssize_t put;

    if (sink.torn) {
        if (sink_put("\n", 1) != 1)
            return false;
        sink.torn = false;
    }
    if (sink.kind == TARGET_SYSLOG)
        return sink_put(line, n - 1) == (ssize_t)n - 1 || syslog_again(line, n - 1);
    put = sink_put(line, n);
    sink.torn = put > 0 && put != (ssize_t)n;
    return put == (ssize_t)n;
}
