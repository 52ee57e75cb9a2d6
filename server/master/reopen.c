/*
 * reopen.c - the log file, anew under its name.
 *
 * The master opens it, for it may be the only one who can, and hands the descriptor to
 * every child: they write to the old one until they have it, so no line is lost.
 */
#include "server/master/state.h"

#include "common/fdpass.h"
#include "common/log.h"
#include "common/log_sink.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static bool
hand_over(int control, int log_fd)
{
    struct worker_message message = { .word = MASTER_LOG };
    struct iovec iov = { &message, sizeof(message) };

    return fdpass_send(control, &iov, 1, &log_fd, 1) == (ssize_t)sizeof(message);
}

const char *
master_reopen_log(struct master *m)
{
    size_t i;

    if (log_sink_reopen() == -1) {
        log_error("the log cannot be opened anew, going on with the old one: %s",
                  strerror(errno));
        return strerror(errno);
    }
    log_info("log opened anew");
    for (i = 0; log_sink_fd() != -1 && i < m->supervisor.nslots; i++) {
        if (m->controls[i] != -1 && !hand_over(m->controls[i], log_sink_fd()))
            log_warn("worker slot=%zu does not listen: it writes to the old log", i);
    }
    return NULL;
}
