/*
 * notify.h - what the service manager is told.
 *
 * Owns: datagrams to $NOTIFY_SOCKET (a path, or an abstract name that begins with '@'),
 * as sd_notify(3) defines them; no library is needed for that.
 * Promise: never blocks.  A word that finds no room is kept and said again; of several
 * that wait, each is said, the status once.  Without the variable all of this does nothing.
 */
#ifndef SERVER_MASTER_NOTIFY_H
#define SERVER_MASTER_NOTIFY_H

#include "common/clock.h"
#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_STATUS_MAX 256

/* A worker whose heart has beaten within this is alive to the watchdog (it beats every
 * 250 ms). */
#define NOTIFY_HEART_WITHIN (1 * USEC_PER_SEC)

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    usec_t watchdog; /* as given; 0: none */
    usec_t next_beat;
    char unsaid[512]; /* lines that found no room */
    char status[NOTIFY_STATUS_MAX];
};

/* clang-format off */
#define NOTIFY_INIT { .fd = -1 }
/* clang-format on */

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);

/* Puts the variables back, for the program that execve puts in our place. */
void notify_export(const struct notify *n);

/* Takes them away again: it did not come to that. */
void notify_withdraw(void);

/* We serve; also said at the end of a reload, however it went. */
void notify_ready(struct notify *n);
void notify_reloading(struct notify *n, usec_t now);
void notify_stopping(struct notify *n);

/* What "systemctl status" shows; sent when it has changed. */
void notify_status(struct notify *n, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Once a turn: says what is unsaid and, while 'alive', that we live, three times in the
 * watchdog's interval. */
void notify_tick(struct notify *n, usec_t now, bool alive);

/* When to tick again at the latest; 0: no need. */
usec_t notify_wakeup(const struct notify *n);

#endif
