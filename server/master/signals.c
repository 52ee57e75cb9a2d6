/*
 * signals.c - signals as flags that the master's loop looks at.
 */
#include "server/master/signals.h"

#include "common/compiler.h"

#include <string.h>

static volatile sig_atomic_t pending[_NSIG];
static sigset_t sleep_mask;

static const int handled[] = { SIGTERM, SIGINT,  SIGQUIT, SIGCHLD, SIGHUP,
                               SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH };

/* A peer that left, a file that may not grow: write(2) says so, and that is enough. */
static const int ignored[] = { SIGPIPE, SIGXFSZ };

/* What a worker does not listen to: it is told so by its master, and Ctrl-C and a
 * terminal's other words go to the whole group. */
static const int not_for_children[] = { SIGINT,  SIGHUP,  SIGUSR1, SIGUSR2,
                                        SIGTTIN, SIGTTOU, SIGWINCH };

static void
on_signal(int signal_number)
{
    pending[signal_number] = 1;
}

static void
set_handler(int signal_number, void (*handler)(int))
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = handler;
    sigemptyset(&sa.sa_mask);
    sigaction(signal_number, &sa, NULL);
}

void
signals_init(void)
{
    sigset_t all;
    size_t i;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&sleep_mask);
    for (i = 0; i < ARRAY_LEN(ignored); i++)
        set_handler(ignored[i], SIG_IGN);
    for (i = 0; i < ARRAY_LEN(handled); i++)
        set_handler(handled[i], on_signal);
}

const sigset_t *
signals_sleep_mask(void)
{
    return &sleep_mask;
}

bool
signals_take(int signal_number)
{
    bool was = pending[signal_number] != 0;

    pending[signal_number] = 0;
    return was;
}

void
signals_reset_child(void)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(handled); i++)
        set_handler(handled[i], SIG_DFL);
    for (i = 0; i < ARRAY_LEN(not_for_children); i++)
        set_handler(not_for_children[i], SIG_IGN);
}
