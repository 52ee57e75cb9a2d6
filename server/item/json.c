/*
 * json.c - JSON values appended to a buffer.
 *
 * Sees to the room, the writing itself is json_put.c and json_check.c.  Room is asked
 * for exactly, so that a capped buffer takes whatever really fits.
 */
#include "server/item/json.h"

#include "server/item/json_put.h"

void
json_append_string(struct buf *out, struct span s)
{
    char *to = buf_reserve(out, s.n + 2);
    struct json_text_size size;
    struct span rest;
    size_t plain;

    if (to == NULL)
        return;
    plain = json_put_plain(to + 1, s);
    if (unlikely(plain < s.n)) {
        rest = span_of(s.p + plain, s.n - plain);
        size = json_text_size(rest);
        if ((to = buf_reserve(out, plain + size.bytes + 2)) == NULL)
            return;
        if (plain > 0)
            memcpy(to + 1, s.p, plain); /* the block may have moved */
        plain = (size_t)(json_put_text(to + 1 + plain, rest) - (to + 1));
    }
    to[0] = '"';
    to[1 + plain] = '"';
    buf_commit(out, plain + 2);
}

void
json_append_base64(struct buf *out, struct span s)
{
    char *to = buf_reserve(out, json_base64_size(s.n));

    if (to != NULL)
        buf_commit(out, (size_t)(json_put_base64(to, s) - to));
}

void
json_append_number(struct buf *out, struct span digits)
{
    char *to = buf_reserve(out, json_number_size(digits));

    if (to != NULL)
        buf_commit(out, (size_t)(json_put_number(to, digits) - to));
}

void
json_append_bits(struct buf *out, struct span bytes)
{
    char *to = buf_reserve(out, json_bits_size(bytes));

    if (to != NULL)
        buf_commit(out, (size_t)(json_put_bits(to, bytes) - to));
}

bool
json_append_compact(struct buf *out, struct span s)
{
    size_t size;
    char *to;

    if (!json_put_compact(NULL, s, &size))
        return false;
    if ((to = buf_reserve(out, size)) != NULL && json_put_compact(to, s, &size))
        buf_commit(out, size);
    return true;
}
