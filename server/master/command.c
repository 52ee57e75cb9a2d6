/*
 * command.c - what "fetchd -s VERB" asks a running master.
 *
 * A sender passes through three states: connected (nothing heard yet), heard (a verb the
 * master has not taken), waiting (taken, not yet settled).  One who says nothing keeps
 * his place only until somebody else needs it.
 */
#include "server/master/command.h"

#include "common/log.h"
#include "common/net.h"
#include "common/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum sender_state {
    SENDER_NONE,
    SENDER_CONNECTED,
    SENDER_HEARD,
    SENDER_WAITING,
};

struct sender {
    enum sender_state state;
    enum command_verb verb;
    int fd;
    unsigned long since; /* order of arrival */
    unsigned wish;       /* the wish he follows; 0: none */
    bool told;           /* that it was begun */
};

struct commands {
    struct sockaddr_un address;
    struct stat file; /* the socket as we made it */
    int fd;
    bool deaf; /* out of descriptors: not worth a poll until the next turn */
    unsigned long arrivals;
    struct sender senders[COMMAND_CLIENTS];
};

static const char *const verb_names[COMMAND_NVERBS] = {
    [COMMAND_STATUS] = "status", [COMMAND_STOP] = "stop",
    [COMMAND_QUIT] = "quit",     [COMMAND_RELOAD] = "reload",
    [COMMAND_REOPEN] = "reopen", [COMMAND_UPGRADE] = "upgrade",
};

bool
command_parse(const char *name, enum command_verb *out)
{
    size_t i;

    for (i = 0; i < COMMAND_NVERBS; i++) {
        if (strcmp(name, verb_names[i]) == 0) {
            *out = (enum command_verb)i;
            return true;
        }
    }
    return false;
}

const char *
command_name(enum command_verb verb)
{
    return verb_names[verb];
}

int
command_address(const char *pid_file, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if ((size_t)snprintf(out->sun_path, sizeof(out->sun_path), "%s.control", pid_file) <
        sizeof(out->sun_path))
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

/* --- the socket --------------------------------------------------------------------- */

static int
commands_listen(struct commands *c)
{
    const char *path = c->address.sun_path;

    c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd == -1)
        return -1;
    /* The mode of an unbound socket is that of its file to be. */
    if (fchmod(c->fd, 0600) == -1 || (unlink(path) == -1 && errno != ENOENT) ||
        bind(c->fd, (const struct sockaddr *)&c->address, sizeof(c->address)) == -1 ||
        listen(c->fd, COMMAND_CLIENTS) == -1 || lstat(path, &c->file) == -1) {
        net_close_keep_errno(c->fd);
        c->fd = -1;
        return -1;
    }
    return 0;
}

static struct commands *
commands_new(const char *pid_file)
{
    struct commands *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->fd = -1;
    if (command_address(pid_file, &c->address) == 0)
        return c;
    free(c);
    errno = ENAMETOOLONG;
    return NULL;
}

struct commands *
commands_open(const char *pid_file)
{
    struct commands *c = commands_new(pid_file);

    if (c == NULL || commands_listen(c) == 0)
        return c;
    free(c);
    return NULL;
}

static bool
commands_file_is_ours(const struct commands *c)
{
    struct stat now;

    return c->fd != -1 && lstat(c->address.sun_path, &now) == 0 &&
           now.st_dev == c->file.st_dev && now.st_ino == c->file.st_ino;
}

bool
commands_mend(struct commands *c)
{
    if (c == NULL || commands_file_is_ours(c))
        return false;
    if (c->fd != -1)
        close(c->fd);
    return commands_listen(c) == 0;
}

void
commands_forsake(struct commands *c)
{
    size_t i;

    if (c == NULL)
        return;
    if (c->fd != -1)
        close(c->fd);
    for (i = 0; i < COMMAND_CLIENTS; i++) {
        if (c->senders[i].state != SENDER_NONE)
            close(c->senders[i].fd);
    }
}

void
commands_close(struct commands **c)
{
    if (*c != NULL && commands_file_is_ours(*c))
        unlink((*c)->address.sun_path);
    commands_forsake(*c);
    free(*c);
    *c = NULL;
}

/* --- senders ------------------------------------------------------------------------ */

static void
sender_close(struct sender *s)
{
    close(s->fd);
    s->state = SENDER_NONE;
}

/* A free place, or that of whoever has been silent for longest; NULL: all of them wait
 * for an outcome. */
static struct sender *
sender_place(struct commands *c)
{
    struct sender *best = NULL;
    size_t i;

    for (i = 0; i < COMMAND_CLIENTS; i++) {
        struct sender *s = &c->senders[i];

        if (s->state == SENDER_NONE)
            return s;
        if (s->state == SENDER_CONNECTED && (best == NULL || s->since < best->since))
            best = s;
    }
    if (best != NULL)
        sender_close(best);
    return best;
}

static bool
sender_may(int fd, struct ucred *who)
{
    socklen_t n = sizeof(*who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &n) == 0 &&
           (who->uid == 0 || who->uid == geteuid());
}

static void say(int fd, const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
say(int fd, const char *prefix, const char *fmt, va_list ap)
{
    char text[COMMAND_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%s", prefix), more;

    more = vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    if (more < 0)
        return;
    n = (size_t)(n + more) < sizeof(text) ? n + more : (int)sizeof(text) - 1;
    log_clean(text, (size_t)n);
    /* Who does not read, or is gone, misses it: nobody waits for him. */
    if (send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
        log_debug("command: an answer was not taken");
}

static void
commands_accept(struct commands *c)
{
    struct sender *s;
    struct ucred who;
    int fd;

    /* cppcheck-suppress nullPointer ; accept4 takes NULL for "do not tell" */
    while ((fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1) {
        if (!sender_may(fd, &who)) {
            log_warn("command refused uid=%u pid=%d: not root and not our user",
                     (unsigned)who.uid, (int)who.pid);
            close(fd);
        } else if ((s = sender_place(c)) == NULL) {
            log_warn("command refused pid=%d: %d others wait already", (int)who.pid,
                     COMMAND_CLIENTS);
            close(fd);
        } else {
            *s = (struct sender){ .state = SENDER_CONNECTED,
                                  .fd = fd,
                                  .since = c->arrivals++ };
        }
    }
    c->deaf = errno != EAGAIN && errno != EINTR;
}

/* Hears one sender out: a verb, or that he has left. */
static void
sender_hear(struct commands *c, struct sender *s)
{
    char text[COMMAND_TEXT_MAX];
    ssize_t n = recv(s->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        sender_close(s);
        return;
    }
    text[n] = '\0';
    if (s->state != SENDER_CONNECTED)
        return; /* one question each */
    s->state = SENDER_WAITING;
    if (command_parse(text, &s->verb))
        s->state = SENDER_HEARD;
    else
        commands_answer(c, (unsigned)(s - c->senders), COMMAND_FAILED,
                        "this server knows no such command");
}

/* --- what the master uses --------------------------------------------------------------- */

size_t
commands_poll(const struct commands *c, struct pollfd *fds)
{
    size_t i, n = 0;

    if (c == NULL)
        return 0;
    if (c->fd != -1 && !c->deaf)
        fds[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
    for (i = 0; i < COMMAND_CLIENTS; i++) {
        if (c->senders[i].state != SENDER_NONE)
            fds[n++] = (struct pollfd){ .fd = c->senders[i].fd, .events = POLLIN };
    }
    return n;
}

bool
commands_next(struct commands *c, enum command_verb *verb, unsigned *who)
{
    size_t i;

    if (c == NULL)
        return false;
    if (c->fd != -1)
        commands_accept(c);
    for (i = 0; i < COMMAND_CLIENTS; i++) {
        struct sender *s = &c->senders[i];

        if (s->state != SENDER_NONE)
            sender_hear(c, s);
        if (s->state != SENDER_HEARD)
            continue;
        s->state = SENDER_WAITING;
        *verb = s->verb;
        *who = (unsigned)i;
        return true;
    }
    return false;
}

void
commands_tell(struct commands *c, unsigned who, const char *fmt, ...)
{
    va_list ap;

    if (c->senders[who].state != SENDER_WAITING)
        return;
    va_start(ap, fmt);
    say(c->senders[who].fd, "- ", fmt, ap);
    va_end(ap);
}

static void sender_end(struct sender *s, enum command_code code, const char *fmt,
                       va_list ap) __attribute__((format(printf, 3, 0)));

static void
sender_end(struct sender *s, enum command_code code, const char *fmt, va_list ap)
{
    char prefix[16];

    snprintf(prefix, sizeof(prefix), "= %d ", (int)code);
    say(s->fd, prefix, fmt, ap);
    sender_close(s);
}

void
commands_answer(struct commands *c, unsigned who, enum command_code code, const char *fmt,
                ...)
{
    va_list ap;

    if (c->senders[who].state != SENDER_WAITING)
        return;
    va_start(ap, fmt);
    sender_end(&c->senders[who], code, fmt, ap);
    va_end(ap);
}

void
commands_settle(struct commands *c, enum command_verb verb, enum command_code code,
                const char *fmt, ...)
{
    va_list ap;
    size_t i;

    for (i = 0; c != NULL && i < COMMAND_CLIENTS; i++) {
        struct sender *s = &c->senders[i];

        if (s->state != SENDER_WAITING || s->verb != verb)
            continue;
        va_start(ap, fmt);
        sender_end(s, code, fmt, ap);
        va_end(ap);
    }
}

/* --- following a wish ------------------------------------------------------------------- */

void
commands_follow(struct commands *c, unsigned who, unsigned number)
{
    c->senders[who].wish = number;
}

static void
sender_report(struct commands *c, unsigned who, const struct outcomes *outcomes)
{
    struct sender *s = &c->senders[who];
    enum wish wish = s->verb == COMMAND_UPGRADE ? WISH_UPGRADE : WISH_RELOAD;
    const char *text, *name = wish_name(wish);
    enum outcome_verdict verdict = outcome_of(outcomes, wish, s->wish, &text);

    switch (verdict) {
    case OUTCOME_PENDING:
        if (!s->told && outcomes->of[wish].begun >= s->wish) {
            s->told = true;
            commands_tell(c, who, "%s begun", name);
        }
        break;
    case OUTCOME_OK:
        commands_answer(c, who, COMMAND_DONE, "%s done%s%s", name,
                        text[0] == '\0' ? "" : ": ", text);
        break;
    case OUTCOME_REFUSED:
    case OUTCOME_ROLLED_BACK:
        commands_answer(c, who, COMMAND_FAILED, "%s %s: %s", name, outcome_name(verdict),
                        text);
        break;
    }
}

void
commands_report(struct commands *c, const struct outcomes *outcomes)
{
    size_t i;

    for (i = 0; c != NULL && i < COMMAND_CLIENTS; i++) {
        if (c->senders[i].state == SENDER_WAITING && c->senders[i].wish != 0)
            sender_report(c, (unsigned)i, outcomes);
    }
}

/* --- across execve -------------------------------------------------------------------------- */

/* The listening descriptor, then ",VERB=WISH=FD" for each sender who waits; the others are hung
 * up on by close-on-exec. */
void
commands_save(struct commands *c, bool keep, struct buf *out)
{
    int flags = keep ? 0 : FD_CLOEXEC;
    size_t i;

    if (c == NULL || c->fd == -1)
        return;
    fcntl(c->fd, F_SETFD, flags);
    buf_append_fmt(out, "%d", c->fd);
    for (i = 0; i < COMMAND_CLIENTS; i++) {
        const struct sender *s = &c->senders[i];

        if (s->state != SENDER_WAITING)
            continue;
        fcntl(s->fd, F_SETFD, flags);
        buf_append_fmt(out, ",%s=%u=%d", verb_names[s->verb], s->wish, s->fd);
    }
}

static bool
restore_sender(struct commands *c, const char *word)
{
    struct sender *s = sender_place(c);
    char verb[16];

    if (s == NULL || sscanf(word, "%15[a-z]=%u=%d", verb, &s->wish, &s->fd) != 3 ||
        !command_parse(verb, &s->verb) || fcntl(s->fd, F_SETFD, FD_CLOEXEC) == -1)
        return false;
    s->told = true;
    s->state = SENDER_WAITING;
    return true;
}

struct commands *
commands_restore(const char *pid_file, const char *word)
{
    struct commands *c = commands_new(pid_file);
    char *end;

    if (c == NULL)
        return NULL;
    c->fd = (int)strtol(word, &end, 10);
    if (end == word || fcntl(c->fd, F_SETFD, FD_CLOEXEC) == -1 ||
        lstat(c->address.sun_path, &c->file) == -1) {
        free(c);
        return NULL;
    }
    for (; *end != '\0'; end = strchrnul(end + 1, ',')) {
        /* One who cannot be restored waits for nothing; he sees our end. */
        if (!restore_sender(c, end + 1))
            log_debug("command: a sender is lost");
    }
    return c;
}
