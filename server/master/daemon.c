/*
 * daemon.c - into the background, but not before it is known to work.
 */
#include "server/master/daemon.h"

#include "common/log.h"
#include "common/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the launcher: exits as the daemon says, or as it ended. */
static void NORETURN
launcher_wait(int fd, pid_t daemon)
{
    char word;
    ssize_t n;
    int status;

    while ((n = read(fd, &word, 1)) == -1 && errno == EINTR)
        ;
    if (n == 1)
        _exit(EXIT_SUCCESS);
    while (waitpid(daemon, &status, 0) == -1) {
        if (errno != EINTR)
            _exit(EXIT_FAILURE);
    }
    _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
                                                        : EXIT_FAILURE);
}

static void
redirect(int fd, int mode)
{
    int null = open("/dev/null", mode | O_CLOEXEC);

    if (null == -1)
        return;
    dup2(null, fd);
    close(null);
}

int
daemon_begin(struct daemon_launch *launch)
{
    int pair[2];
    pid_t pid;

    if (pipe2(pair, O_CLOEXEC) == -1 || (pid = fork()) == -1)
        return -1;
    if (pid != 0) {
        close(pair[1]);
        launcher_wait(pair[0], pid);
    }
    close(pair[0]);
    launch->word_fd = pair[1];
    /* Whoever reads our standard output must not wait for the daemon's end. */
    redirect(STDIN_FILENO, O_RDONLY);
    redirect(STDOUT_FILENO, O_WRONLY);
    return setsid() == -1 ? -1 : 0;
}

/* A log file somebody chose, or the journal's socket, stays.  A terminal goes away some
 * day, and whoever reads a pipe would wait for its end as long as we live. */
static bool
is_for_good(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && !isatty(fd) && !S_ISFIFO(st.st_mode);
}

void
daemon_leave(struct daemon_launch *launch)
{
    log_echo(false);
    if (launch->word_fd == -1)
        return;
    if (!is_for_good(STDERR_FILENO))
        redirect(STDERR_FILENO, O_WRONLY);
    if (log_sink_is_stderr() && log_sink_reopen() == -1)
        log_debug("standard error cannot be opened anew");
    close(launch->word_fd);
    launch->word_fd = -1;
}

void
daemon_ready(struct daemon_launch *launch)
{
    /* If nobody reads the word any more, the launcher was killed; the daemon goes on. */
    if (launch->word_fd != -1 && write(launch->word_fd, "", 1) == -1)
        log_warn("the launcher is gone; serving all the same");
    daemon_leave(launch);
}
