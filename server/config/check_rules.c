/*
 * check_rules.c - what the checks of every section have in common.
 */
#include "server/config/check_rules.h"

#include <string.h>

struct origin
check_origin(const struct check *k, enum section section, const char *title,
             const char *name)
{
    const struct setting *one = settings_find(k->s, section, title, name);
    const struct declared *whole = settings_find_section(k->s, section, title);
    struct origin origin = { NULL, 0, NULL };

    if (one != NULL)
        return one->origin;
    if (whole != NULL)
        return whole->origin;
    if (k->c->path[0] != '\0')
        origin.path = k->c->path;
    return origin;
}

bool
check_order(struct check *k, enum section section, const char *title, const char *low,
            const char *high, bool ordered)
{
    const char *name = high;

    if (ordered)
        return true;
    /* Blame the one of the two that was written. */
    if (settings_find(k->s, section, title, high) == NULL)
        name = low;
    return REFUSE(k, section, title, name, "expected %s to be at most %s", low, high);
}

bool
check_section_name(struct check *k, enum section section, const char *name)
{
    if (section_title_valid(name))
        return true;
    return REFUSE(k, section, name, "", SECTION_TITLE_EXPECTED);
}
