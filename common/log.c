/*
 * log.c - one event, one line.
 *
 * The process-wide state here is the one exception to "no file globals": a log
 * that had to be passed around would not be used.
 */
#include "common/log.h"

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define ESCAPE_MAX_INPUT 128

static struct {
    char name[32];
    enum log_level level;
    uint64_t dropped;
} logger = { "fetchd", LOG_LEVEL_INFO, 0 };

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void
log_init(const char *name, enum log_level level)
{
    snprintf(logger.name, sizeof(logger.name), "%s", name);
    logger.level = level;
}

bool
log_level_parse(struct span name, enum log_level *out)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(level_names); i++) {
        if (span_equal(name, span_str(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool
log_enabled(enum log_level level)
{
    return level <= logger.level;
}

uint64_t
log_dropped(void)
{
    return logger.dropped;
}

void
log_clean(char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    }
}

/* A pipe that nobody reads must not stop us.  The descriptor itself stays blocking: it
 * is shared with whoever started us. */
static bool
log_has_room(void)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static void log_line(enum log_level level, const char *suffix, const char *fmt,
                     va_list ap) __attribute__((format(printf, 3, 0)));

static void
log_line(enum log_level level, const char *suffix, const char *fmt, va_list ap)
{
    char line[LINE_MAX_BYTES], stamp[CLOCK_STAMP_SIZE];
    int saved = errno;
    size_t room = sizeof(line) - 1, n;
    int got;

    if (!log_enabled(level))
        return;
    clock_stamp(stamp);
    got = snprintf(line, room, "%s %s %s[%d] ", stamp, level_names[level], logger.name,
                   (int)getpid());
    n = got < 0 ? 0 : (size_t)got;
    got = vsnprintf(line + n, room - n, fmt, ap);
    if (got > 0)
        n = n + (size_t)got < room ? n + (size_t)got : room - 1;
    if (suffix != NULL && n < room) {
        got = snprintf(line + n, room - n, ": %s", suffix);
        if (got > 0)
            n = n + (size_t)got < room ? n + (size_t)got : room - 1;
    }
    log_clean(line, n);
    line[n++] = '\n';
    if (!log_has_room() || write(STDERR_FILENO, line, n) != (ssize_t)n)
        logger.dropped++;
    errno = saved;
}

#define LOG_FUNCTION(function, level)   \
    void function(const char *fmt, ...) \
    {                                   \
        va_list ap;                     \
                                        \
        va_start(ap, fmt);              \
        log_line(level, NULL, fmt, ap); \
        va_end(ap);                     \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void
fatal(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line(LOG_LEVEL_ERROR, strerror(errno), fmt, ap);
    va_end(ap);
    exit(1);
}

void
fatalx(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line(LOG_LEVEL_ERROR, NULL, fmt, ap);
    va_end(ap);
    exit(1);
}

const char *
log_escape(struct span s, char *out)
{
    size_t i, n = s.n < ESCAPE_MAX_INPUT ? s.n : ESCAPE_MAX_INPUT;
    char *to = out;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c > 0x20 && c < 0x7f && c != '"' && c != '\\')
            *to++ = (char)c;
        else
            to += sprintf(to, "\\x%02x", c);
    }
    if (n < s.n)
        to += sprintf(to, "...");
    *to = '\0';
    return out;
}
