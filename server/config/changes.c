/*
 * changes.c - what a reload cannot change.
 */
#include "server/config/config.h"
#include "server/config/fields.h"
#include "server/config/options.h"

static bool
field_differs(const struct option *o, const struct config *a, const struct config *b)
{
    struct buf one = BUF_INIT, other = BUF_INIT;
    bool differs;

    field_append(o, a, &one);
    field_append(o, b, &other);
    differs = !span_equal(buf_span(&one), buf_span(&other));
    buf_fini(&one);
    buf_fini(&other);
    return differs;
}

void
config_restart_changes(const struct config *old, const struct config *new,
                       struct buf *names)
{
    const struct option *o;
    size_t i, n;

    for (o = option_table(&n), i = 0; i < n; i++, o++) {
        if (o->section >= SECTION_DATABASE || o->reload != RELOAD_RESTART ||
            !field_differs(o, old, new))
            continue;
        if (buf_size(names) > 0)
            BUF_APPEND_LIT(names, ", ");
        option_append_name(o, names);
    }
}
