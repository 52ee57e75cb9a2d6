/*
 * settings.h - values on their way into the struct, each with its origin.
 *
 * Owns: one flat list that the file, the command line, option files and the
 * environment add to, in rising order of precedence: a later setting wins.  It
 * lives while a configuration is loaded, so that every check can say where the
 * offending value was written.
 *
 *     file -----------+
 *     command line ---+--> settings --> struct config --> checks
 *     option files ---+                                     |
 *     environment ----+          <--- "FILE:LINE: KEY: ..." +
 */
#ifndef SERVER_CONFIG_SETTINGS_H
#define SERVER_CONFIG_SETTINGS_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/options.h"

#include <stdbool.h>
#include <stddef.h>

/* Either a line of a file, or a command line option or environment variable; all
 * borrowed, and alive as long as the settings. */
struct origin {
    const char *path;
    unsigned line; /* 0: the file as a whole */
    const char *flag;
};

struct setting {
    const struct option *option;
    char *title; /* of its section; "" when the section has none */
    char *value;
    bool more; /* adds to the list begun by the setting before it */
    struct origin origin;
};

/* A database or source section, which may be empty. */
struct declared {
    enum section section;
    char *title;
    struct origin origin;
};

struct settings {
    struct setting *list;
    size_t n;
    struct declared *sections;
    size_t nsections;
    bool failed; /* out of memory; sticky */
};

/* clang-format off */
#define SETTINGS_INIT { NULL, 0, NULL, 0, false }
/* clang-format on */

/* Copies 'title' and 'value'. */
void settings_add(struct settings *s, const struct option *o, const char *title,
                  const char *value, bool more, struct origin origin);

void settings_declare(struct settings *s, enum section section, const char *title,
                      struct origin origin);

/* Settings of 'section' under the title 'from' are now of 'to'. */
void settings_retitle(struct settings *s, enum section section, const char *from,
                      const char *to);

/* Forgets the values of one option, or whole sections with what they hold. */
void settings_drop(struct settings *s, const struct option *o);
void settings_drop_section(struct settings *s, enum section section);

/* The setting that wins, or NULL.  Empty values count as not given: "-T" writes
 * them for whatever is not set. */
const struct setting *settings_find(const struct settings *s, enum section section,
                                    const char *title, const char *name);

/* The declaration of a section, or NULL. */
const struct declared *settings_find_section(const struct settings *s,
                                             enum section section, const char *title);

/* Wipes secrets before it frees them. */
void settings_fini(struct settings *s);

/* Replaces 'error' by "ORIGIN: KEY: text".  'title' and 'name' may be "". */
void settings_blame(struct buf *error, struct origin origin, enum section section,
                    const char *title, const char *name, const char *fmt, ...)
    PRINTF_LIKE(6, 7);

#endif
