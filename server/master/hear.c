/*
 * hear.c - what children say to the master.
 */
#include "server/master/state.h"

#include "common/log.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void
on_ready(struct master *m, size_t slot)
{
    const struct supervisor_slot *sl = &m->supervisor.slots[slot];

    log_info("worker slot=%zu pid=%d ready place=%zu generation=%u", slot, (int)sl->pid,
             sl->place, sl->generation);
    supervisor_ready(&m->supervisor, slot, clock_now());
}

static void
on_refused(struct master *m, size_t slot, const char *text)
{
    if (m->supervisor.slots[slot].generation == m->supervisor.generation && m->rolling)
        generation_fail(m, WORKER_EXIT_CONFIG, "%s", text);
    else
        log_error("worker slot=%zu refuses: %s", slot, text);
}

/* Reads one message; false: nothing more to read now. */
static bool
hear(struct master *m, size_t slot)
{
    struct worker_message message;
    ssize_t n = recv(m->controls[slot], &message, sizeof(message), MSG_DONTWAIT);

    if (n == -1 && errno == EINTR)
        return true;
    if (n != (ssize_t)sizeof(message)) {
        if (n == 0) {
            /* It is dying; SIGCHLD will say so.  No more to hear. */
            close(m->controls[slot]);
            m->controls[slot] = -1;
        }
        return false;
    }
    message.text[WORKER_TEXT_MAX - 1] = '\0';
    switch (message.word) {
    case WORKER_READY:
        on_ready(m, slot);
        break;
    case WORKER_REFUSED:
        on_refused(m, slot, message.text);
        break;
    case WORKER_HEIRLESS:
        m->heirless[slot] = true;
        break;
    case MASTER_RETIRE:
    case MASTER_DONOR:
    case MASTER_LOG:
        break; /* our own words */
    }
    return true;
}

void
master_hear_all(struct master *m, size_t slot)
{
    while (m->controls[slot] != -1 && hear(m, slot))
        ;
}
