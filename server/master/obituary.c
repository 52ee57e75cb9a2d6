/*
 * obituary.c - how a child ended, in words.
 */
#include "server/master/obituary.h"

#include "common/clock.h"
#include "common/log.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *
obituary(int wait_status, char *out, size_t size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(out, size, "signal=%d (%s%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)),
                 WCOREDUMP(wait_status) ? ", core dumped" : "");
    else
        snprintf(out, size, "exit=%d", WEXITSTATUS(wait_status));
    return out;
}

/* "fetchd+0x1234", for addr2line. */
static void
log_frame(size_t slot, pid_t pid, unsigned i, uintptr_t address, bool same)
{
    const char *name = "?";
    uintptr_t at = address;
    Dl_info info;

    if (same && dladdr((const void *)address, &info) != 0 && info.dli_fname != NULL) {
        name = strrchr(info.dli_fname, '/');
        name = name == NULL ? info.dli_fname : name + 1;
        at = address - (uintptr_t)info.dli_fbase;
    }
    log_warn("worker slot=%zu pid=%d frame=%u at=%s+0x%lx", slot, (int)pid, i, name,
             (unsigned long)at);
}

void
obituary_last_words(struct blackbox *box, size_t slot, pid_t pid, bool same)
{
    struct span request = blackbox_text(box->request, sizeof(box->request));
    struct span panic = blackbox_text(box->panic, sizeof(box->panic));
    char shown[LOG_ESCAPE_SIZE];
    usec_t since = box->since, now = clock_now();
    uint32_t n = box->nframes, i;

    if (panic.n > 0)
        log_error("worker slot=%zu pid=%d panic=\"%s\"", slot, (int)pid,
                  log_escape(panic, shown));
    if (since != 0)
        log_warn("worker slot=%zu pid=%d last request=\"%s\" ms_ago=%llu", slot, (int)pid,
                 log_escape(request, shown),
                 (unsigned long long)(now > since ? (now - since) / USEC_PER_MSEC : 0));
    for (i = 0; i < n && i < BLACKBOX_FRAMES; i++)
        log_frame(slot, pid, i, box->frames[i], same);
    memset(box, 0, sizeof(*box));
}
