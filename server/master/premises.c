/*
 * premises.c - the files by which others find a running master.
 */
#include "server/master/premises.h"

#include "common/log.h"
#include "server/master/lock.h"
#include "server/master/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
premises_refuse(const struct premises *p)
{
    if (errno == EWOULDBLOCK) {
        log_error("already running: another server, or a worker that outlived one, holds "
                  "%s.lock",
                  p->pid_file);
        return EXIT_ALREADY_RUNNING;
    }
    log_error("cannot lock %s.lock: %s", p->pid_file, strerror(errno));
    return EXIT_FAILURE;
}

static void
premises_listen(struct premises *p)
{
    /* Worth a warning, not the service: signals still work. */
    if ((p->commands = commands_open(p->pid_file)) == NULL)
        log_warn("no control socket %s.control, \"fetchd -s\" will not work: %s",
                 p->pid_file, strerror(errno));
}

static int
premises_sign(struct premises *p)
{
    if (pidfile_write(p->pid_file) == 0)
        return 0;
    log_error("cannot write pid_file %s: %s", p->pid_file, strerror(errno));
    return EXIT_FAILURE;
}

int
premises_open(struct premises *p, const char *pid_file)
{
    p->pid_file = pid_file;
    if (pid_file[0] == '\0')
        return 0;
    if ((p->lock_fd = lock_take(pid_file)) == -1)
        return premises_refuse(p);
    premises_listen(p);
    return premises_sign(p);
}

static void
premises_lock_again(struct premises *p)
{
    int fd = lock_take(p->pid_file);

    if (fd == -1) {
        log_error("%s.lock was removed, and cannot be locked again: %s", p->pid_file,
                  errno == EWOULDBLOCK ? "a second server holds it" : strerror(errno));
        return;
    }
    /* Workers hold the old one; those to come inherit the new one. */
    close(p->lock_fd);
    p->lock_fd = fd;
    log_warn("%s.lock was removed; locked it again", p->pid_file);
}

void
premises_look(struct premises *p, usec_t now)
{
    if (p->lock_fd == -1 || now - p->looked < PREMISES_LOOK_EVERY)
        return;
    p->looked = now;
    if (!lock_stands(p->lock_fd, p->pid_file))
        premises_lock_again(p);
    if (commands_mend(p->commands))
        log_warn("%s.control was removed; listening again", p->pid_file);
    if (pidfile_is_ours(p->pid_file))
        return;
    if (pidfile_write(p->pid_file) == 0)
        log_warn("pid_file %s was removed or changed; wrote it again", p->pid_file);
    else
        log_warn("pid_file %s was removed or changed, and cannot be written again: %s",
                 p->pid_file, strerror(errno));
}

void
premises_close(struct premises *p)
{
    if (p->lock_fd == -1)
        return;
    pidfile_remove(p->pid_file);
    close(p->lock_fd);
    p->lock_fd = -1;
    /* Last: who waits for our end may start the next server when he hears of it. */
    commands_settle(p->commands, COMMAND_STOP, COMMAND_DONE, "stopped");
    commands_settle(p->commands, COMMAND_QUIT, COMMAND_DONE, "stopped");
    commands_close(&p->commands);
}

void
premises_forsake(struct premises *p)
{
    commands_forsake(p->commands);
}

void
premises_save(struct premises *p, bool keep, struct buf *out)
{
    if (p->lock_fd == -1)
        return;
    fcntl(p->lock_fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
    buf_append_fmt(out, "%d;", p->lock_fd);
    commands_save(p->commands, keep, out);
}

int
premises_restore(struct premises *p, const char *pid_file, const char *word)
{
    char *end;
    long fd = strtol(word, &end, 10);

    if (pid_file[0] == '\0' || end == word || *end != ';' ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1)
        return premises_open(p, pid_file);
    p->pid_file = pid_file;
    p->lock_fd = (int)fd;
    if ((p->commands = commands_restore(pid_file, end + 1)) == NULL)
        premises_listen(p);
    return premises_sign(p);
}
