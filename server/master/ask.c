/*
 * ask.c - the other end of the control socket: "fetchd -s VERB".
 */
#include "server/master/ask.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/net.h"
#include "server/master/lock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* A master answers within one turn of its loop. */
#define ANSWER_WITHIN_MS 5000

/* A lock that is held while nobody answers: a master that is just starting, or changing
 * its program, will in a moment. */
#define APPEARS_WITHIN (2 * USEC_PER_SEC)
#define LOOK_EVERY_MS 20

static int complain(enum command_code code, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int
complain(enum command_code code, const char *fmt, ...)
{
    va_list ap;

    fputs("fetchd: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return (int)code;
}

/* --- finding it --------------------------------------------------------------------- */

static int
connect_once(const struct sockaddr_un *address)
{
    const struct timeval limit = { .tv_sec = ANSWER_WITHIN_MS / 1000 };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return fd;
    net_close_keep_errno(fd);
    return -1;
}

/* A connection to the master; -1 with *held as it was seen last. */
static int
connect_master(const char *pid_file, const struct sockaddr_un *address,
               enum lock_state *held)
{
    usec_t until = clock_now() + APPEARS_WITHIN;
    int fd;

    while ((*held = lock_look(pid_file)) == LOCK_HELD) {
        if ((fd = connect_once(address)) != -1)
            return fd;
        if (errno != ENOENT && errno != ECONNREFUSED)
            return -1;
        if (clock_now() > until)
            return -1;
        poll(NULL, 0, LOOK_EVERY_MS);
    }
    return -1;
}

/* Nobody to talk to: why, and with which exit code. */
static int
nobody(enum command_verb verb, const char *pid_file, enum lock_state held)
{
    bool status = verb == COMMAND_STATUS;

    switch (held) {
    case LOCK_FREE:
        if (status && access(pid_file, F_OK) == 0)
            return complain(COMMAND_FAILED, "not running, but it left its pid file %s",
                            pid_file);
        return complain(status ? COMMAND_STOPPED : COMMAND_NOT_RUNNING,
                        "not running (nobody holds %s.lock)", pid_file);
    case LOCK_UNKNOWN:
        return complain(COMMAND_NOT_PERMITTED, "cannot look at %s.lock: %s", pid_file,
                        strerror(errno));
    case LOCK_HELD:
        break;
    }
    if (errno == EACCES || errno == EPERM)
        return complain(COMMAND_NOT_PERMITTED,
                        "only root and the master's own user may ask it");
    return complain(status ? COMMAND_ORPHANED : COMMAND_FAILED,
                    "no master answers, but %s.lock is held: a worker outlived its "
                    "master",
                    pid_file);
}

/* --- hearing it out ----------------------------------------------------------------- */

/* The next datagram into 'text'; false: there will be none. */
static bool
hear(int fd, int limit_ms, char *text)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n;

    if (poll(&p, 1, limit_ms) != 1)
        return false;
    n = recv(fd, text, COMMAND_TEXT_MAX, 0);
    if (n <= 0)
        return false;
    text[n] = '\0';
    log_clean(text, (size_t)n);
    return true;
}

static int
ended(const char *text)
{
    char *rest;
    long code = strtol(text + 2, &rest, 10);

    rest += *rest == ' ';
    if (code != COMMAND_DONE)
        return complain((enum command_code)code, "%s", rest);
    puts(rest);
    return COMMAND_DONE;
}

/* The status of a start that is not over, and what hear_out makes of it. */
#define STARTING "= 0 starting"
#define AGAIN (-1)

static int
hear_out(int fd, enum command_verb verb, bool wait, const char *pid_file)
{
    char text[COMMAND_TEXT_MAX + 1];
    int limit_ms = ANSWER_WITHIN_MS;

    while (hear(fd, limit_ms, text)) {
        if (wait && strncmp(text, STARTING, strlen(STARTING)) == 0)
            return AGAIN;
        if (text[0] == '=')
            return ended(text);
        puts(text[0] == '-' ? text + 2 : text);
        fflush(stdout);
        if (!wait)
            return COMMAND_DONE;
        limit_ms = -1;
    }
    if ((verb == COMMAND_STOP || verb == COMMAND_QUIT) &&
        lock_look(pid_file) == LOCK_FREE) {
        puts("stopped");
        return COMMAND_DONE;
    }
    return complain(COMMAND_FAILED, limit_ms == -1
                                        ? "the master ended before this was done"
                                        : "the master does not answer, or does not want "
                                          "to: only root and its own user may ask");
}

/* A descriptor of the master itself, which outlives by a moment what it answers; -1: not to
 * be had, or nothing to wait for. */
static int
process_behind(int fd)
{
    struct ucred who;
    socklen_t n = sizeof(who);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == -1 || who.pid <= 1)
        return -1;
    return (int)syscall(SYS_pidfd_open, who.pid, 0);
}

static void
wait_gone(int process)
{
    struct pollfd p = { .fd = process, .events = POLLIN };

    if (process != -1)
        poll(&p, 1, ANSWER_WITHIN_MS);
}

/* One question, from the connection to the exit code. */
static int
ask_on(int fd, enum command_verb verb, bool wait, const char *pid_file)
{
    bool end = wait && (verb == COMMAND_STOP || verb == COMMAND_QUIT);
    const char *name = command_name(verb);
    int code, process = end ? process_behind(fd) : -1;

    if (send(fd, name, strlen(name), MSG_NOSIGNAL) == -1)
        code = complain(COMMAND_NOT_PERMITTED,
                        "the master hung up: only root and its own user may ask");
    else
        code = hear_out(fd, verb, wait, pid_file);
    if (code == COMMAND_DONE)
        wait_gone(process);
    if (process != -1)
        close(process);
    close(fd);
    return code;
}

int
ask_master(enum command_verb verb, bool wait, const char *pid_file)
{
    struct sockaddr_un address;
    enum lock_state held;
    int fd, code;

    if (command_address(pid_file, &address) == -1)
        return complain(COMMAND_FAILED,
                        "pid_file %s: too long a path for a control "
                        "socket beside it",
                        pid_file);
    do {
        if ((fd = connect_master(pid_file, &address, &held)) == -1)
            return nobody(verb, pid_file, held);
        code = ask_on(fd, verb, wait, pid_file);
    } while (code == AGAIN && poll(NULL, 0, LOOK_EVERY_MS) == 0);
    return code;
}
