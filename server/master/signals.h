/*
 * signals.h - signals as flags that the master's loop looks at.
 *
 * Owns: the handlers, which only set a flag, and the mask: every signal is blocked
 * except inside ppoll(2), so none is lost between a look and the sleep, and none that is
 * meant for a just forked child runs a handler of the master's.
 */
#ifndef SERVER_MASTER_SIGNALS_H
#define SERVER_MASTER_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* Blocks every signal and installs the flags' handlers.  Whatever was ignored or blocked
 * when we were started no longer is. */
void signals_init(void);

/* The mask to sleep with. */
const sigset_t *signals_sleep_mask(void);

/* Has this signal come since the last time? */
bool signals_take(int signal_number);

/* In a fresh child: default handlers, nothing blocked later by accident; SIGPIPE and the
 * master's own signals ignored.  The mask stays blocked; the worker lifts it. */
void signals_reset_child(void);

#endif
