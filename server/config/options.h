/*
 * options.h - the one table of options.
 *
 * Owns: for every option its section, name, type, place in the struct, default,
 * range, reload rule and help.  Everything that needs a list of options walks this
 * table: the file's grammar, the conversion, "-T", "--options", the freeing.
 * Never knows: where a value came from.
 */
#ifndef SERVER_CONFIG_OPTIONS_H
#define SERVER_CONFIG_OPTIONS_H

#include "common/buf.h"
#include "server/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum section {
    SECTION_TOP,
    SECTION_LIMITS,
    SECTION_LOADER,
    SECTION_CACHE,
    SECTION_DATABASE,
    SECTION_SOURCE,
    SECTION_VIEW,
    SECTION_PART, /* of a view; its title is "VIEW.PART" */
    SECTION_NSECTIONS,
};

enum option_type {
    OPTION_COUNT,   /* unsigned */
    OPTION_MS,      /* unsigned */
    OPTION_BYTES,   /* size_t */
    OPTION_LEVEL,   /* enum log_level */
    OPTION_ACCESS,  /* enum config_access */
    OPTION_TEXT,    /* char * */
    OPTION_PATH,    /* char *, made absolute */
    OPTION_NAME,    /* char *, a database identifier or "" */
    OPTION_SECRET,  /* char *, never shown */
    OPTION_LISTEN,  /* struct config: listens and nlistens */
    OPTION_NAMES,   /* struct config_source: columns and ncolumns */
    OPTION_HEADERS, /* struct config_texts, "Name: value"; values are never shown */
    OPTION_SWITCH,  /* enum config_switch */
};

/* When a changed value takes effect. */
enum reload_rule {
    RELOAD_GENERATION, /* with the workers of the next generation, at a reload */
    RELOAD_RESTART,    /* with the next start */
};

struct option {
    enum section section;
    const char *name;
    enum option_type type;
    size_t offset;   /* into the struct that the section describes */
    const char *def; /* as it would be written; "" for an empty text or list */
    uint64_t min;    /* counts, durations (ms) and sizes (bytes) */
    uint64_t max;
    enum reload_rule reload;
    const char *help;
};

/* The rows, in the order in which they are shown. */
const struct option *option_table(size_t *n);

/* NULL: no such option in that section. */
const struct option *option_find(enum section section, const char *name);

/* "" for the top level. */
const char *section_name(enum section section);

/* Sections that may be repeated, each under a name of its own. */
bool section_titled(enum section section);

/* The section that this one stands in. */
enum section section_parent(enum section section);

/* May a section be called so?  Names of sources stand before a colon or a point in
 * clients' keys, those of parts before a point in paths. */
#define SECTION_TITLE_MAX 64
#define SECTION_TITLE_EXPECTED \
    "expected a name of 1 to 64 letters, digits, \"_\" and \"-\""
bool section_title_valid(const char *title);

#define PART_TITLE_SIZE (2 * SECTION_TITLE_MAX + 2)

/* Returns false when no section is called 'name'. */
bool section_find(const char *name, enum section *out);

bool option_is_list(const struct option *o);

/* Does a source of this kind have the option?  That follows from which part of struct
 * config_source holds it; options of other sections concern everybody. */
bool option_concerns(const struct option *o, enum config_source_kind kind);

/* "listen", "limits.line": how messages and documents call the option. */
void option_append_name(const struct option *o, struct buf *out);

/* What the option accepts: "a number from 0 to 256". */
void option_append_expected(const struct option *o, struct buf *out);

#endif
