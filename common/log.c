/*
 * log.c - one event, one line.
 *
 * The process-wide state here is the one exception to "no file globals": a log
 * that had to be passed around would not be used.
 */
#include "common/log.h"

#include "common/clock.h"
#include "common/log_rate.h"
#include "common/log_sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define ESCAPE_MAX_INPUT 128
#define LIKE_MAX 80

/* How often one message may be said in LOG_RATE_WINDOW.  Lifecycle lines come in crowds
 * when there are many workers, and have their own bounds. */
#define BURST 100
#define BURST_INFO 1000

static struct {
    char name[32];
    enum log_level level;
    uint64_t dropped;
    uint64_t dropped_untold;
    bool echo;
    struct log_rate rate;
} logger = { .name = "fetchd", .level = LOG_LEVEL_INFO };

static const int syslog_levels[] = {
    [LOG_LEVEL_ERROR] = LOG_ERR,
    [LOG_LEVEL_WARN] = LOG_WARNING,
    [LOG_LEVEL_INFO] = LOG_INFO,
    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

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
    logger.dropped = logger.dropped_untold = 0;
    memset(&logger.rate, 0, sizeof(logger.rate));
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

void
log_echo(bool on)
{
    logger.echo = on && !log_sink_is_stderr();
}

/* --- making a line ---------------------------------------------------------------------- */

struct line {
    char text[LINE_MAX_BYTES];
    size_t n;
};

static void line_add(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line_add_list(struct line *l, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
line_add_list(struct line *l, const char *fmt, va_list ap)
{
    size_t room = sizeof(l->text) - 1 - l->n; /* one for the line feed */
    int got = vsnprintf(l->text + l->n, room, fmt, ap);

    if (got > 0)
        l->n += (size_t)got < room ? (size_t)got : room - 1;
}

static void
line_add(struct line *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line_add_list(l, fmt, ap);
    va_end(ap);
}

static void
line_begin(struct line *l, enum log_level level, enum log_form form)
{
    char stamp[CLOCK_STAMP_SIZE];
    struct tm tm;
    time_t now;

    l->n = 0;
    switch (form) {
    case LOG_FORM_PLAIN:
        clock_stamp(stamp);
        line_add(l, "%s %s %s[%d] ", stamp, level_names[level], logger.name,
                 (int)getpid());
        break;
    case LOG_FORM_JOURNAL:
        line_add(l, "<%d>%s %s[%d] ", syslog_levels[level], level_names[level],
                 logger.name, (int)getpid());
        break;
    case LOG_FORM_SYSLOG:
        now = time(NULL);
        localtime_r(&now, &tm);
        strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
        line_add(l, "<%d>%s fetchd[%d]: %s %s ", LOG_DAEMON | syslog_levels[level], stamp,
                 (int)getpid(), level_names[level], logger.name);
        break;
    }
}

static bool
line_end(struct line *l)
{
    log_clean(l->text, l->n);
    l->text[l->n++] = '\n';
    return log_sink_write(l->text, l->n);
}

/* What became of lines that are missing. */
static bool
tell_dropped(void)
{
    struct line l;

    if (logger.dropped_untold == 0)
        return true;
    line_begin(&l, LOG_LEVEL_WARN, log_sink_form());
    line_add(&l, "log dropped lines=%llu: they could not be written",
             (unsigned long long)logger.dropped_untold);
    if (!line_end(&l))
        return false;
    logger.dropped_untold = 0;
    return true;
}

static void
tell_suppressed(const char *format, unsigned n)
{
    struct line l;

    line_begin(&l, LOG_LEVEL_WARN, log_sink_form());
    line_add(&l, "suppressed lines=%u like=\"%.*s\"", n, LIKE_MAX, format);
    if (!line_end(&l))
        logger.dropped_untold++;
}

/* Is it to be said?  Tells what was not, before. */
static bool
passes(enum log_level level, const char *format)
{
    usec_t now = clock_now();
    unsigned n;
    const char *other;

    while ((other = log_rate_overdue(&logger.rate, now, &n)) != NULL)
        tell_suppressed(other, n);
    if (level == LOG_LEVEL_DEBUG)
        return true;
    if (!log_rate_pass(&logger.rate, format, level == LOG_LEVEL_INFO ? BURST_INFO : BURST,
                       now, &n))
        return false;
    if (n > 0)
        tell_suppressed(format, n);
    return true;
}

/* Whoever waits at standard error hears of errors there too, in the plain form. */
static void echo(const char *suffix, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
echo(const char *suffix, const char *fmt, va_list ap)
{
    struct line l;

    line_begin(&l, LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
    line_add_list(&l, fmt, ap);
    if (suffix != NULL)
        line_add(&l, ": %s", suffix);
    log_clean(l.text, l.n);
    l.text[l.n++] = '\n';
    (void)!write(STDERR_FILENO, l.text, l.n);
}

static void put(enum log_level level, const char *suffix, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
put(enum log_level level, const char *suffix, const char *fmt, va_list ap)
{
    struct line l;
    va_list again;

    if (logger.echo && level == LOG_LEVEL_ERROR) {
        va_copy(again, ap);
        echo(suffix, fmt, again);
        va_end(again);
    }
    line_begin(&l, level, log_sink_form());
    line_add_list(&l, fmt, ap);
    if (suffix != NULL)
        line_add(&l, ": %s", suffix);
    if (tell_dropped() && line_end(&l))
        return;
    logger.dropped++;
    logger.dropped_untold++;
}

static void log_line(enum log_level level, const char *suffix, const char *fmt,
                     va_list ap) __attribute__((format(printf, 3, 0)));

static void
log_line(enum log_level level, const char *suffix, const char *fmt, va_list ap)
{
    int saved = errno;

    if (log_enabled(level) && passes(level, fmt))
        put(level, suffix, fmt, ap);
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
