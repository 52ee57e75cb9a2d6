/*
 * http_items.c - what an answer says about the ids of a batch.
 *
 * No tree is built: the answer is checked and made compact in one walk, and everything
 * after that points into the compact text, so digits stay what they were.
 */
#include "server/source/http_items.h"

#include "server/item/decode.h"
#include "server/item/json.h"
#include "server/item/project.h"

static const char no_json[] = "the answer is no JSON";

const char *
http_item_read(struct batch *batch, struct span body, size_t item_max)
{
    struct buf *out = batch_bytes(batch);
    size_t off = out->len;

    if (!json_append_compact(out, body))
        return no_json;
    if (buf_failed(out))
        return "no memory";
    if (out->data[off] != '{') {
        out->len = off;
        return "the answer is no object";
    }
    if (out->len - off > item_max) {
        out->len = off;
        batch_fail(batch, 0, ITEM_FAIL_TOOBIG);
        return NULL;
    }
    batch_item(batch, 0, off);
    return NULL;
}

/* The id that a field holds: the text of a string, or the digits of a number.  'decoded'
 * keeps the text when it had to be made. */
static bool
read_id(struct span value, struct buf *decoded, struct span *id)
{
    if (value.n >= 2 && value.p[0] == '"') {
        *id = span_of(value.p + 1, value.n - 2);
        if (memchr(id->p, '\\', id->n) == NULL)
            return true;
        buf_clear(decoded);
        json_append_decoded(decoded, value);
        *id = buf_span(decoded);
        return !buf_failed(decoded);
    }
    *id = value;
    return value.n > 0 && (value.p[0] == '-' || (value.p[0] >= '0' && value.p[0] <= '9'));
}

static void
take(struct batch *batch, size_t place, struct span object, size_t item_max,
     enum item_status failure)
{
    struct buf *out = batch_bytes(batch);
    size_t off = out->len;

    if (!batch_is_open(batch, place)) {
        batch_fail(batch, place, failure); /* twice: which of them is it? */
        return;
    }
    if (object.n > item_max) {
        batch_fail(batch, place, ITEM_FAIL_TOOBIG);
        return;
    }
    buf_append_span(out, object);
    if (buf_failed(out))
        batch_fail(batch, place, ITEM_FAIL_OVERLOAD);
    else
        batch_item(batch, place, off);
}

/* false: whose it is cannot be read. */
static bool
take_element(struct batch *batch, struct span element, struct span match, size_t item_max,
             enum item_status failure, struct buf *decoded)
{
    struct span value, id;
    long place;

    if (span_equal(element, SPAN("null")))
        return true;
    if (element.n == 0 || element.p[0] != '{' ||
        !json_find(json_plain(element), match, &value) || !read_id(value, decoded, &id))
        return false;
    if ((place = batch_find(batch, id)) >= 0)
        take(batch, (size_t)place, element, item_max, failure);
    return true;
}

static void
fail_open(struct batch *batch, enum item_status failure)
{
    size_t i;

    for (i = 0; i < batch_size(batch); i++) {
        if (batch_is_open(batch, i))
            batch_fail(batch, i, failure);
    }
}

const char *
http_items_read(struct batch *batch, struct span body, struct span items,
                struct span match, size_t item_max, enum item_status failure,
                struct buf *scratch)
{
    struct buf decoded = BUF_INIT;
    struct span array, element;
    struct json_walk walk;
    bool clear = true;

    buf_clear(scratch);
    if (!json_append_compact(scratch, body))
        return no_json;
    if (buf_failed(scratch))
        return "no memory";
    array = buf_span(scratch);
    if (items.n > 0 && !json_find(json_plain(array), items, &array))
        return "the answer has nothing where its items should be";
    if (array.n < 2 || array.p[0] != '[')
        return "the items of the answer are no array";
    walk = json_elements_begin(array);
    while (json_elements_next(&walk, &element))
        clear = take_element(batch, element, match, item_max, failure, &decoded) && clear;
    if (!clear)
        fail_open(batch, failure);
    buf_fini(&decoded);
    return NULL;
}
