/*
 * log_sink.h - where log lines go.
 *
 * Owns: one destination for the process: standard error, a file or the system log.
 * Promise: a line goes out whole in one call or is dropped; nothing here waits: not for a
 * full pipe, not for a system log that is away, not for a disk that is full.  Children
 * inherit the destination.
 */
#ifndef COMMON_LOG_SINK_H
#define COMMON_LOG_SINK_H

#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/* What a line must look like there. */
enum log_form {
    LOG_FORM_PLAIN,   /* time, level, name */
    LOG_FORM_JOURNAL, /* "<6>" and no time: the journal has its own */
    LOG_FORM_SYSLOG,  /* "<30>time fetchd[pid]: " */
};

/* Is this a destination: "stderr", "syslog", "syslog:/PATH" of its socket, or the absolute
 * path of a file? */
bool log_sink_valid(const char *target) MUST_CHECK;

/* Opens it.  -1 with errno: what was open stays so. */
int log_sink_open(const char *target) MUST_CHECK;

/* Opens the same again: the file by its name, standard error as it is now.  -1 with errno:
 * what was open stays so. */
int log_sink_reopen(void) MUST_CHECK;

/* The descriptor of a file, to hand to another process of ours; -1: no file. */
int log_sink_fd(void);

/* Writes to this one instead, which it takes. */
void log_sink_take(int fd);

bool log_sink_is_stderr(void);
enum log_form log_sink_form(void);

/* One whole line with its line feed.  false: dropped. */
bool log_sink_write(const char *line, size_t n) MUST_CHECK;

#endif
