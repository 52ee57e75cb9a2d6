/*
 * notify.c - what the service manager is told.
 */
#include "server/master/notify.h"

#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beats in one interval of the watchdog; two would do if none were ever late. */
#define BEATS 3

static bool
notify_address(struct notify *n, const char *name)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
        return false;
    n->to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(n->to.sun_path, name, len);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

static void
notify_take_watchdog(struct notify *n)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    if (usec != NULL && (pid == NULL || strtol(pid, NULL, 10) == (long)getpid()))
        n->watchdog = strtoull(usec, NULL, 10);
}

void
notify_open(struct notify *n)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *n = (struct notify){ .fd = -1 };
    if (name != NULL && notify_address(n, name))
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (name != NULL && n->fd == -1)
        log_warn("cannot notify \"%s\": %s", name,
                 n->to_len == 0 ? "no path and no abstract name" : strerror(errno));
    if (n->fd != -1)
        notify_take_watchdog(n);
    notify_withdraw();
}

void
notify_withdraw(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void
notify_close(struct notify *n)
{
    if (n->fd != -1)
        close(n->fd);
    n->fd = -1;
}

void
notify_export(const struct notify *n)
{
    char text[sizeof(n->to.sun_path) + 1];
    size_t len;

    if (n->fd == -1)
        return;
    len = n->to_len - offsetof(struct sockaddr_un, sun_path);
    memcpy(text, n->to.sun_path, len);
    text[len] = '\0';
    if (text[0] == '\0')
        text[0] = '@';
    setenv("NOTIFY_SOCKET", text, 1);
    if (n->watchdog == 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64, n->watchdog);
    setenv("WATCHDOG_USEC", text, 1);
}

static bool
notify_send(const struct notify *n, const char *text)
{
    ssize_t sent;

    do
        sent = sendto(n->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *)&n->to, n->to_len);
    while (sent == -1 && errno == EINTR);
    /* A manager that is being replaced comes back under the same name; only a full
     * queue is worth another try in the same words. */
    return sent != -1 || (errno != EAGAIN && errno != ENOBUFS);
}

static void
notify_flush(struct notify *n)
{
    if (n->unsaid[0] != '\0' && notify_send(n, n->unsaid))
        n->unsaid[0] = '\0';
}

static void
notify_say(struct notify *n, const char *line)
{
    size_t used = strlen(n->unsaid);

    if (n->fd == -1)
        return;
    snprintf(n->unsaid + used, sizeof(n->unsaid) - used, "%s\n", line);
    notify_flush(n);
}

void
notify_ready(struct notify *n)
{
    notify_say(n, "READY=1");
}

void
notify_reloading(struct notify *n, usec_t now)
{
    char text[64];

    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now);
    notify_say(n, text);
}

void
notify_stopping(struct notify *n)
{
    notify_say(n, "STOPPING=1");
}

void
notify_status(struct notify *n, const char *fmt, ...)
{
    char text[NOTIFY_STATUS_MAX], line[NOTIFY_STATUS_MAX + 8];
    va_list ap;

    if (n->fd == -1)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_clean(text, strlen(text));
    if (strcmp(text, n->status) == 0)
        return;
    snprintf(line, sizeof(line), "STATUS=%s", text);
    /* One that finds no room is not "sent": it, or a newer one, is tried the next time. */
    if (n->unsaid[0] == '\0' && notify_send(n, line))
        memcpy(n->status, text, sizeof(n->status));
}

void
notify_tick(struct notify *n, usec_t now, bool alive)
{
    if (n->fd == -1)
        return;
    notify_flush(n);
    if (n->watchdog == 0 || now < n->next_beat)
        return;
    n->next_beat = now + n->watchdog / BEATS;
    if (!alive || !notify_send(n, "WATCHDOG=1"))
        n->next_beat = now + n->watchdog / BEATS / BEATS;
}

usec_t
notify_wakeup(const struct notify *n)
{
    return n->watchdog == 0 ? 0 : n->next_beat;
}
