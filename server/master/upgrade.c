/*
 * upgrade.c - another program in place of this one, under the same pid.
 *
 *     wish --fork, exec "NEW -t"--> CHECKING --it could take over--> execve
 *       +-- refused: nothing changed   +-- it ends otherwise, or says nothing of us
 *
 * The new program finds the listening sockets, the children and all else where they were
 * (carry.c), reaps first, and then raises a new generation as after a reload.  Whether it
 * works is asked of a child first, with the same arguments: what cannot be executed, does
 * not know the configuration or does not know how to take over never takes our place.
 */
#include "server/master/state.h"

#include "common/log.h"
#include "server/master/carry.h"
#include "server/master/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_EXECUTED 127

static void PRINTF_LIKE(2, 3) refuse(struct master *m, const char *fmt, ...)
{
    char why[OUTCOME_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    log_error("upgrade refused: %s; this program goes on", why);
    outcome_settle(&m->outcomes, WISH_UPGRADE, OUTCOME_REFUSED, "%s", why);
}

/* --- the check ------------------------------------------------------------------------- */

/* In the child. */
static void NORETURN
check_live(const struct master *m, int out)
{
    const struct master_plan *plan = m->plan;
    char **argv, number[16];
    sigset_t none;
    size_t n = 0;

    signals_reset_child();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (plan->argv[n] != NULL)
        n++;
    snprintf(number, sizeof(number), "%d", CARRY_FORMAT);
    argv = calloc(n + 2, sizeof(*argv));
    if (argv == NULL || dup2(out, STDOUT_FILENO) == -1 ||
        dup2(out, STDERR_FILENO) == -1 || setenv(CARRY_CHECK_VARIABLE, number, 1) == -1 ||
        !config_restore_environment())
        _exit(EXIT_NOT_EXECUTED);
    memcpy(argv, plan->argv, n * sizeof(*argv));
    argv[n] = strdup("-t");
    execv(plan->program, argv);
    dprintf(STDERR_FILENO, "%s: %s\n", plan->program, strerror(errno));
    _exit(EXIT_NOT_EXECUTED);
}

static void
check_begin(struct master *m)
{
    int pair[2];

    outcome_begin(&m->outcomes, WISH_UPGRADE);
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) == -1) {
        refuse(m, "pipe: %s", strerror(errno));
        return;
    }
    m->upgrade.pid = fork();
    if (m->upgrade.pid == 0)
        check_live(m, pair[1]);
    close(pair[1]);
    if (m->upgrade.pid == -1) {
        refuse(m, "fork: %s", strerror(errno));
        close(pair[0]);
        m->upgrade.pid = 0;
        return;
    }
    log_info("upgrade begins program=%s: checking it", m->plan->program);
    m->upgrade.out = pair[0];
    m->upgrade.until = clock_now() + m->now.config->start_timeout_ms * USEC_PER_MSEC;
}

/* What it said, as one line without control characters. */
static void
check_said(struct master *m, char *text, size_t size)
{
    ssize_t n = read(m->upgrade.out, text, size - 1);
    size_t i;

    close(m->upgrade.out);
    m->upgrade.out = -1;
    m->upgrade.pid = 0;
    text[n > 0 ? n : 0] = '\0';
    for (i = strlen(text); i > 0 && text[i - 1] == '\n'; i--)
        text[i - 1] = '\0';
    log_clean(text, strlen(text));
}

/* --- taking our place ------------------------------------------------------------------- */

static void
execute(struct master *m)
{
    int fd = carry_save(m), error;

    if (fd == -1) {
        refuse(m, "cannot write the state down: %s", strerror(errno));
        return;
    }
    if (!config_restore_environment())
        errno = ENOMEM;
    else
        execv(m->plan->program, m->plan->argv);
    error = errno;
    config_wipe_environment();
    carry_undo(m, fd);
    refuse(m, "%s: %s", m->plan->program, strerror(error));
}

bool
upgrade_reaped(struct master *m, pid_t pid, int status)
{
    char said[512];

    if (m->upgrade.pid == 0 || pid != m->upgrade.pid)
        return false;
    check_said(m, said, sizeof(said));
    if (master_stopping(m))
        refuse(m, "the server is stopping");
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        refuse(m, "the check of %s failed: %s", m->plan->program,
               said[0] == '\0' ? "it said nothing" : said);
    else if (strstr(said, CARRY_CHECK_ANSWER) == NULL)
        refuse(m, "%s is no fetchd that could take over", m->plan->program);
    else
        m->upgrade.approved = true;
    return true;
}

void
upgrade_go_on(struct master *m)
{
    struct upgrade *u = &m->upgrade;

    if (u->pid != 0) {
        if (clock_now() >= u->until || master_stopping(m))
            kill(u->pid, SIGKILL);
        return;
    }
    if (m->rolling || !m->serving || m->supervisor.mode == SUPERVISOR_STOPPING)
        return;
    if (u->approved) {
        u->approved = false;
        execute(m);
    } else if (outcome_wanted(&m->outcomes, WISH_UPGRADE)) {
        check_begin(m);
    }
}
