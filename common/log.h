/*
 * log.h - one event, one line.
 *
 * Owns: the process's name and level in the log; log_sink has the destination.  A line is
 * "TIME LEVEL NAME[PID] subject key=value ..." in one write(2); errno is
 * preserved; a line that cannot be written is dropped and counted, never waited
 * for, and the count is told when lines go out again.  The same message over and over is
 * said a hundred times in ten seconds, then counted ("suppressed lines=N"); debug lines all
 * come.  Call from the loop only, never from a signal handler.
 *
 * error = someone must act; warn = we coped; info = lifecycle; debug = per request.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* 'name' says what this process is ("master", "worker/3"); it is copied.  All counts begin
 * anew. */
void log_init(const char *name, enum log_level level);

/* The level named "error", "warn", "info" or "debug"; false: no such name. */
bool log_level_parse(struct span name, enum log_level *out) MUST_CHECK;

bool log_enabled(enum log_level level);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Lines of errors go to standard error as well, whatever the destination: for as long as
 * somebody waits there to hear how the start went. */
void log_echo(bool on);

/* Lines that could not be written since the process began. */
uint64_t log_dropped(void);

/* Logs with ": <errno's text>" and exits 1.  Start-up only: main, master, worker. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

/* The same without errno. */
void fatalx(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

/* Control characters become '?': what a server or a name put into a text must not begin
 * another line.  log_line does so by itself; for texts shown elsewhere. */
void log_clean(char *text, size_t n);

/* Bytes from outside made fit for a log line: printable ASCII stays, the rest
 * becomes \xNN, at most 128 bytes are shown.  'out' holds LOG_ESCAPE_SIZE. */
#define LOG_ESCAPE_SIZE 520
const char *log_escape(struct span s, char *out);

#endif
