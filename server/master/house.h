/*
 * house.h - what others see of a master: files, service manager, queues.
 *
 * Owns: its three rooms, so that the master opens, keeps and leaves them in one line each.
 * Promise: nothing here waits, and nothing here changes what is served.
 */
#ifndef SERVER_MASTER_HOUSE_H
#define SERVER_MASTER_HOUSE_H

#include "common/clock.h"
#include "common/compiler.h"
#include "server/master/notify.h"
#include "server/master/premises.h"
#include "server/master/queue.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct scoreboard;

struct house {
    struct premises premises;
    struct notify notify;
    struct queue_watch queue;
};

/* clang-format off */
#define HOUSE_INIT { PREMISES_INIT, NOTIFY_INIT, { 0, false, false } }
/* clang-format on */

/* What house_keep shows to the world. */
struct house_facts {
    const int *listen_fds;
    size_t nlisten;
    struct scoreboard *board;
    size_t ready; /* workers that serve */
    size_t wanted;
    bool paused;       /* nobody is meant to serve */
    const char *doing; /* "serving", "draining", ... */
};

/* 0, or the exit code of a master that must not start; logged. */
int house_open(struct house *h, const char *pid_file) MUST_CHECK;
void house_close(struct house *h);

/* Across execve: one word, and variables in the environment; 'keep' is as in
 * premises_save. */
void house_save(struct house *h, bool keep, struct buf *out);
int house_restore(struct house *h, const char *pid_file, const char *word) MUST_CHECK;

/* In a child: lets go of everything but the lock. */
void house_forsake(struct house *h);

/* Once a turn. */
void house_keep(struct house *h, const struct house_facts *facts, usec_t now);

/* The next command that the master must obey itself; "status" is answered here.  As
 * commands_next. */
bool house_command(struct house *h, const struct house_facts *facts,
                   enum command_verb *verb, unsigned *who) MUST_CHECK;

/* When house_keep is due at the latest; 0: any time. */
usec_t house_wakeup(const struct house *h);

#endif
