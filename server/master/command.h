/*
 * command.h - what "fetchd -s VERB" asks a running master.
 *
 * Owns: the socket "<pid_file>.control" and the conversations on it: one datagram asks,
 * "- text" datagrams tell how it goes, "= CODE text" ends it; CODE is the exit code of
 * the one who asked.  Only root and the master's own user are heard (SO_PEERCRED).
 * Promise: never blocks; who does not read is hung up on.  Never knows: what a verb does;
 * the master takes commands one by one and says what came of them.
 *
 *     fetchd -s reload                               the master
 *        |-- "reload" ---------> commands_next ----------> a wish, reloading
 *        |<-- "- reload begun" -- commands_report <------- ...
 *        |<-- "= 0 done" -------- commands_report <------- its outcome
 */
#ifndef SERVER_MASTER_COMMAND_H
#define SERVER_MASTER_COMMAND_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/master/outcome.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum command_verb {
    COMMAND_STATUS,
    COMMAND_STOP,
    COMMAND_QUIT,
    COMMAND_RELOAD,
    COMMAND_REOPEN,
    COMMAND_UPGRADE,
};
#define COMMAND_NVERBS (COMMAND_UPGRADE + 1)

/* Exit codes of -s; those of LSB's init scripts. */
enum command_code {
    COMMAND_DONE = 0,
    COMMAND_FAILED = 1,        /* refused, or it did not come to pass */
    COMMAND_ORPHANED = 2,      /* status: no master answers, but its lock is held */
    COMMAND_STOPPED = 3,       /* status: not running */
    COMMAND_NOT_PERMITTED = 4, /* also status: cannot tell */
    COMMAND_NOT_RUNNING = 7,   /* any other verb */
};

/* Datagrams are no longer than this. */
#define COMMAND_TEXT_MAX 1024

/* What a control socket adds to a poll at most. */
#define COMMAND_CLIENTS 8
#define COMMAND_POLLFDS (COMMAND_CLIENTS + 1)

struct commands;

/* "reload" ...; false: no such verb. */
bool command_parse(const char *name, enum command_verb *out) MUST_CHECK;
const char *command_name(enum command_verb verb);

/* The address of the socket that belongs to a pid file into 'out', a sockaddr_un.
 * -1: too long for one (errno ENAMETOOLONG). */
struct sockaddr_un;
int command_address(const char *pid_file, struct sockaddr_un *out) MUST_CHECK;

/* Listens; the caller holds the lock.  NULL with errno. */
struct commands *commands_open(const char *pid_file) MUST_CHECK;

/* Ends every conversation and removes the socket if it is still ours. */
void commands_close(struct commands **c);

/* In a child: lets go of the descriptors and of nothing else. */
void commands_forsake(struct commands *c);

/* Listens again if somebody removed the socket.  true: it had to. */
bool commands_mend(struct commands *c);

/* All of these take NULL: a master without a pid file hears no commands. */

/* Fills up to COMMAND_POLLFDS entries and returns how many. */
size_t commands_poll(const struct commands *c, struct pollfd *fds);

/* The next command that has arrived whole; false: none.  'who' names its sender below and
 * is good until the next call. */
bool commands_next(struct commands *c, enum command_verb *verb, unsigned *who) MUST_CHECK;

/* To one sender: how it goes; he may leave at the first such word. */
void commands_tell(struct commands *c, unsigned who, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* To one sender: the end of it. */
void commands_answer(struct commands *c, unsigned who, enum command_code code,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);

/* To one sender who asked for a reload or an upgrade: he hears of wish 'number' from
 * commands_report. */
void commands_follow(struct commands *c, unsigned who, unsigned number);

/* Tells those who follow a wish that it was begun, and then how it went. */
void commands_report(struct commands *c, const struct outcomes *outcomes);

/* To everybody who waits for the end of 'verb'. */
void commands_settle(struct commands *c, enum command_verb verb, enum command_code code,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);

/* --- execve in place: descriptors stay open, the rest is this text --- */

/* Appends one word and clears close-on-exec ('keep') or sets it again. */
void commands_save(struct commands *c, bool keep, struct buf *out);

/* From such a word; NULL: not one, then commands_open. */
struct commands *commands_restore(const char *pid_file, const char *word) MUST_CHECK;

#endif
