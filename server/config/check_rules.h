/*
 * check_rules.h - what the checks of every section have in common.
 *
 * Owns: the words of a refusal, which name the line of the value at fault, or of its
 * section when the fault is that something is missing.  Inside server/config only.
 */
#ifndef SERVER_CONFIG_CHECK_RULES_H
#define SERVER_CONFIG_CHECK_RULES_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/config.h"
#include "server/config/settings.h"

#include <stdbool.h>

struct check {
    struct config *c;
    const struct settings *s;
    struct buf *error;
};

/* The last origin that 'title' and 'name' have; that of the section when the value
 * is a default; that of the whole file otherwise. */
struct origin check_origin(const struct check *k, enum section section, const char *title,
                           const char *name);

/* settings_blame at the origin of the option; always false. */
#define REFUSE(k, section, title, name, ...)                                   \
    (settings_blame((k)->error, check_origin((k), (section), (title), (name)), \
                    (section), (title), (name), __VA_ARGS__),                  \
     false)

/* Of two options 'low' and 'high', that are 'ordered' or not. */
bool check_order(struct check *k, enum section section, const char *title,
                 const char *low, const char *high, bool ordered) MUST_CHECK;

/* Names of sources stand before a colon or a point in clients' keys. */
bool check_section_name(struct check *k, enum section section, const char *name)
    MUST_CHECK;

/* Decides what kind of source it is and checks all of it. */
bool check_source(struct check *k, struct config_source *s) MUST_CHECK;

/* Views, and which source or view is the default one; the sources are checked. */
bool check_views(struct check *k) MUST_CHECK;

#endif
