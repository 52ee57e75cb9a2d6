/*
 * merge.c - several items become one.
 */
#include "server/item/merge.h"

#include "server/item/decode.h"
#include "server/item/project.h"

/* "name": and a comma. */
#define NAME_MORE 4

size_t
merge_size(struct span top, const struct merge_part *parts, size_t n)
{
    size_t i, size = 2 + top.n;

    for (i = 0; i < n; i++) {
        if (parts[i].json.n > 0)
            size += parts[i].name.n + NAME_MORE + parts[i].json.n;
    }
    return size;
}

/* Is 'written', a member's name as it stands between its quotes, this plain name? */
static bool
is_name(struct span written, struct span name)
{
    struct buf text = BUF_INIT;
    bool same;

    if (memchr(written.p, '\\', written.n) == NULL)
        return span_equal(written, name);
    json_append_decoded(&text, span_of(written.p - 1, written.n + 2));
    same = span_equal(buf_span(&text), name);
    buf_fini(&text);
    return same;
}

static bool
is_taken(struct span written, const struct merge_part *parts, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (is_name(written, parts[i].name))
            return true;
    }
    return false;
}

/* The members that may stay, each as it is. */
static void
append_others(struct buf *out, struct span top, const struct merge_part *parts, size_t n)
{
    struct json_walk walk = json_walk_begin(json_plain(top));
    struct span name, value;

    while (json_walk_next(&walk, &name, &value)) {
        const char *from = name.p - 1, *to = value.p + value.n;

        if (is_taken(name, parts, n))
            continue;
        buf_append(out, from, (size_t)(to - from));
        buf_append_char(out, ',');
    }
}

void
merge_append(struct buf *out, struct span top, const struct merge_part *parts, size_t n,
             bool may_clash)
{
    size_t i, start = out->len;

    buf_append_char(out, '{');
    if (may_clash) {
        append_others(out, top, parts, n);
    } else if (top.n > 2) {
        buf_append(out, top.p + 1, top.n - 2);
        buf_append_char(out, ',');
    }
    for (i = 0; i < n; i++) {
        if (parts[i].json.n == 0)
            continue;
        buf_append_char(out, '"');
        buf_append_span(out, parts[i].name);
        BUF_APPEND_LIT(out, "\":");
        buf_append_span(out, parts[i].json);
        buf_append_char(out, ',');
    }
    if (buf_failed(out))
        return;
    /* Every member brought a comma; the last one becomes the brace. */
    if (out->len > start + 1)
        out->data[out->len - 1] = '}';
    else
        buf_append_char(out, '}');
}
