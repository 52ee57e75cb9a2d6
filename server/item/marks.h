/*
 * marks.h - how long the members of an object are.
 *
 * Owns: the code in which that is kept beside a stored item, so that whoever wants two of
 * its fields steps from member to member instead of looking for each one's end.
 *
 *     {"id":7,"title":"...","price":12.50}        name and value, without the comma
 *      +-6--+ +---- 200 ---+ +---- 13 ---+   ->   06  c8 01  0d
 *
 * Seven bits a byte, the lowest first, the high bit: there are more (LEB128).  So most
 * members cost a byte; places instead of lengths would cost two, or three when the item
 * is long.  Made when an item is stored, from its bytes, whichever source it came from.
 * Composing knows the lengths too, but only for tables, and they would have to travel
 * with the batch; the walk over ten members that finds them takes 0.1 us, of the 4.5 us
 * and more that an id costs the database.
 */
#ifndef SERVER_ITEM_MARKS_H
#define SERVER_ITEM_MARKS_H

#include "common/compiler.h"
#include "common/span.h"

#include <stddef.h>

/* Writes the marks of a compact object into the 'room' bytes at 'to'.  Returns how many
 * there are; 0: it has no members, or too many. */
size_t marks_make(struct span object, char *to, size_t room) MUST_CHECK;

/* The next length, or 0: there is none that makes sense.  Anything may stand there. */
static inline size_t
marks_next(struct span *marks)
{
    size_t n = 0, i;

    if (likely(marks->n > 0 && (unsigned char)marks->p[0] < 0x80)) {
        n = (unsigned char)marks->p[0];
        *marks = span_of(marks->p + 1, marks->n - 1);
        return n;
    }
    for (i = 0; i < marks->n && i < 4; i++) {
        unsigned char byte = (unsigned char)marks->p[i];

        n |= (size_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            *marks = span_of(marks->p + i + 1, marks->n - i - 1);
            return n;
        }
    }
    marks->n = 0;
    return 0;
}

#endif
