/*
 * lastwords.c - what a worker leaves when it crashes.
 *
 * A handler runs in whatever state the process was: it writes addresses into the shared
 * box and nothing else.  Their names are the master's to find; it has the same program at
 * the same addresses.
 */
#include "server/worker/lastwords.h"

#include "common/compiler.h"

#include <assert.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)64 << 10)

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

/* A handler has no other argument. */
static struct blackbox *own_box;

/* clang-format off */
static const char *const verbs[] = {
    [COMMAND_FETCH] = "fetch",           [COMMAND_PING] = "ping",
    [COMMAND_HELP] = "help",             [COMMAND_SOURCES] = "sources",
    [COMMAND_VERSION] = "version",       [COMMAND_STATS] = "stats",
    [COMMAND_STATS_WORKERS] = "workers", [COMMAND_INVALIDATE] = "invalidate",
    [COMMAND_FLUSH] = "flush",           [COMMAND_QUIT] = "quit",
    [COMMAND_LOCAL] = "local",           [COMMAND_ERROR] = "error",
};
/* clang-format on */

void
lastwords_note(struct blackbox *box, const struct command *command, usec_t now)
{
    size_t kind = (size_t)command->kind;
    const char *verb = kind < ARRAY_LEN(verbs) ? verbs[kind] : NULL;

    blackbox_note(box, verb == NULL ? "other" : verb,
                  command->nkeys > 0 ? command->keys[0] : span_of(NULL, 0), now);
}

static void
on_crash(int signal_number)
{
    void *frames[BLACKBOX_FRAMES];
    int i, n = backtrace(frames, BLACKBOX_FRAMES);

    for (i = 0; i < n; i++)
        own_box->frames[i] = (uintptr_t)frames[i];
    own_box->nframes = (uint32_t)n;
    /* The handler is gone by now: this time it kills. */
    raise(signal_number);
}

void
lastwords_init(struct blackbox *box)
{
    static char bytes[STACK_BYTES];
    const stack_t stack = { .ss_sp = bytes, .ss_size = sizeof(bytes) };
    struct sigaction now, was;
    stack_t present;
    void *frames[1];
    size_t i;

    if (sigaltstack(NULL, &present) == -1 ||
        ((present.ss_flags & SS_DISABLE) != 0 && sigaltstack(&stack, NULL) == -1))
        return;
    memset(box, 0, sizeof(*box));
    own_box = box;
    /* The first call loads a library, which a handler must not. */
    (void)backtrace(frames, 1);
    memset(&now, 0, sizeof(now));
    now.sa_handler = on_crash;
    now.sa_flags = SA_ONSTACK | (int)SA_RESETHAND | SA_NODEFER;
    for (i = 0; i < ARRAY_LEN(crashes); i++) {
        if (sigaction(crashes[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
            sigaction(crashes[i], &now, NULL);
    }
}

/* What the C library calls for a failed assertion; its own would tell standard error
 * only, and nobody may be there to read it. */
void
__assert_fail(const char *assertion, const char *file, unsigned line,
              const char *function)
{
    char text[sizeof(own_box->panic)];
    int n = snprintf(text, sizeof(text), "%s:%u: %s: assertion \"%s\" failed", file, line,
                     function, assertion);

    if (own_box != NULL)
        blackbox_panic(own_box, text);
    if (n < 0 || write(STDERR_FILENO, text, strlen(text)) == -1 ||
        write(STDERR_FILENO, "\n", 1) == -1) {
        /* no one to tell */
    }
    abort();
}
