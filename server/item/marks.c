/*
 * marks.c - how long the members of an object are.
 */
#include "server/item/marks.h"

#include "server/item/project.h"

/* More than four times seven bits are never needed: see CACHE_ITEM_MAX. */
#define MARK_BYTES_MAX 4
#define LENGTH_MAX (((size_t)1 << 7 * MARK_BYTES_MAX) - 1)

size_t
marks_make(struct span object, char *to, size_t room)
{
    struct json_walk walk = json_walk_begin(json_plain(object));
    struct span name, value;
    size_t n, made = 0;

    while (json_walk_next(&walk, &name, &value)) {
        n = (size_t)(value.p + value.n - (name.p - 1));
        if (room - made < MARK_BYTES_MAX || n > LENGTH_MAX)
            return 0;
        for (; n >= 0x80; n >>= 7)
            to[made++] = (char)(n | 0x80);
        to[made++] = (char)n;
    }
    return made;
}
