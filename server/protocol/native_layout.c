/*
 * native_layout.c - all items in one DATA line: as an array, a map or columns.
 *
 *     array    [{...},null,{...}]             one element for each position
 *     map      {"7":{...},"8":null}           one member for each distinct key
 *     columns  {"id":[7,null],"name":[...]}   one array for each field
 *
 * What is unavailable is null; the letters behind DONE's status= tell why.
 */
#include "server/protocol/native.h"

#include "common/hash.h"
#include "server/item/json.h"
#include "server/item/project.h"

#include <stdlib.h>

/* Different fields in one answer; beyond that the rest is left out. */
#define COLUMNS_MAX 4096

/* To look at a name costs so much less than to copy its item. */
#define GATHER_EASE 2

/* What a cell costs beside the bytes that it was looked for in: memory out of the cache. */
#define CELL_WORK 100

static void
append_item(struct buf *out, const struct command *c, const struct item_result *r)
{
    if (!item_present(r->status))
        BUF_APPEND_LIT(out, "null");
    else if (c->nfields == 0)
        buf_append_span(out, r->json);
    else
        json_project(out, item_object(r), c->fields, c->nfields);
}

static void
append_data_begin(struct buf *out, const struct command *c)
{
    native_append_tag(out, c);
    BUF_APPEND_LIT(out, "DATA ");
}

/* false, here and below: the rest follows later. */
static bool
append_array(struct buf *out, const struct command *c, const struct reply *r)
{
    size_t work = 0, i;

    if (r->first == 0)
        append_data_begin(out, c);
    for (i = r->first; i < r->nresults; i++) {
        buf_append_char(out, i == 0 ? '[' : ',');
        append_item(out, c, &r->results[i]);
        work += c->nfields > 0 ? r->results[i].json.n : 0;
        if (reply_is_full(r, out, i, r->nresults, work))
            return false;
    }
    buf_append_char(out, ']');
    return true;
}

/* --- map ------------------------------------------------------------------------- */

/* Which keys were shown: one block, kept between the parts of the answer.  It fills as the
 * answer is written; sorting 5,000 keys beforehand took 0.3 ms, and everybody waited. */
struct shown {
    struct hash_key key;
    size_t mask;
    uint32_t slots[]; /* position + 1; 0: free */
};

static struct shown *
shown_new(size_t n)
{
    size_t slots = 4;
    struct shown *s;

    while (slots < 2 * n)
        slots *= 2;
    if ((s = calloc(1, sizeof(*s) + slots * sizeof(s->slots[0]))) == NULL)
        return NULL;
    hash_key_init(&s->key);
    s->mask = slots - 1;
    return s;
}

/* false: the key of position 'i' is one that was shown.  Then it is. */
static bool
shown_add(struct shown *s, const struct item_result *results, size_t i)
{
    size_t at = hash_bytes(&s->key, results[i].key) & s->mask;

    while (s->slots[at] != 0) {
        if (span_equal(results[s->slots[at] - 1].key, results[i].key))
            return false;
        at = (at + 1) & s->mask;
    }
    s->slots[at] = (uint32_t)i + 1;
    return true;
}

static bool
append_map(struct buf *out, const struct command *c, const struct reply *r)
{
    struct shown *shown = *r->kept;
    bool comma = r->first > 0;
    size_t work = 0, i;

    if (shown == NULL && (*r->kept = shown = shown_new(r->nresults)) == NULL) {
        out->failed = true;
        return true;
    }
    if (r->first == 0) {
        append_data_begin(out, c);
        buf_append_char(out, '{');
    }
    for (i = r->first; i < r->nresults; i++) {
        const struct item_result *result = &r->results[i];

        if (!utf8_valid(result->key))
            continue; /* cannot be a name in JSON; the letters still tell its fate */
        if (!shown_add(shown, r->results, i))
            continue; /* JSON forgives no duplicates */
        if (comma)
            buf_append_char(out, ',');
        comma = true;
        json_append_string(out, result->key);
        buf_append_char(out, ':');
        append_item(out, c, result);
        work += c->nfields > 0 ? result->json.n : 0;
        if (reply_is_full(r, out, i, r->nresults, work))
            return false;
    }
    buf_append_char(out, '}');
    return true;
}

/* --- columns ----------------------------------------------------------------------- */

/* One block, kept between the parts of the answer. */
struct columns {
    struct span *names; /* as written in JSON, without quotes */
    size_t n;
    size_t gathered;          /* items whose names are among them */
    struct json_walk walks[]; /* where the last column ended, in each item */
};

static bool
columns_add(struct columns *cols, struct span name)
{
    size_t i;

    for (i = 0; i < cols->n; i++) {
        if (span_equal(cols->names[i], name))
            return true;
    }
    if (cols->n == COLUMNS_MAX)
        return false;
    cols->names[cols->n++] = name;
    return true;
}

/* Every member that any item has, in the order of first sight.  Items of one source have
 * the same ones, so most items only confirm what is known.  false: a turn's worth of them
 * was looked at, the rest follows later. */
static bool
columns_gather(struct columns *cols, const struct reply *r)
{
    struct span name, value;
    size_t work = 0, at;

    while (cols->gathered < r->nresults) {
        const struct item_result *result = &r->results[cols->gathered++];
        struct json_walk walk = json_walk_begin(item_object(result));

        if (!item_present(result->status))
            continue;
        for (at = 0; json_walk_next(&walk, &name, &value); at++) {
            if (at < cols->n && span_equal(cols->names[at], name))
                continue;
            if (!columns_add(cols, name))
                return true; /* there are enough */
        }
        work += result->json.n;
        if (r->full > 0 && work > r->full * GATHER_EASE)
            return false;
    }
    return true;
}

static struct columns *
columns_new(const struct command *c, const struct reply *r)
{
    size_t walks = r->nresults * sizeof(struct json_walk), i;
    struct columns *cols =
        malloc(sizeof(*cols) + walks + COLUMNS_MAX * sizeof(struct span));

    if (cols == NULL)
        return NULL;
    cols->n = 0;
    cols->gathered = c->nfields == 0 ? 0 : r->nresults;
    cols->names = (struct span *)(cols->walks + r->nresults);
    for (i = 0; i < r->nresults; i++)
        cols->walks[i] = json_walk_begin(item_object(&r->results[i]));
    return cols;
}

static void
append_column_name(struct buf *out, const struct command *c, const struct columns *cols,
                   size_t column)
{
    buf_append_char(out, column == 0 ? '{' : ',');
    if (c->nfields > 0) {
        json_append_string(out, c->fields[column]);
    } else {
        buf_append_char(out, '"');
        buf_append_span(out, cols->names[column]);
        buf_append_char(out, '"');
    }
    buf_append_char(out, ':');
}

/* One value of one column; returns how many bytes were looked through for it.  Columns in
 * the items' own order cost one walk through each item. */
static size_t
append_cell(struct buf *out, const struct item_result *result, struct json_walk *walk,
            struct span path)
{
    const char *from = walk->p;
    struct span value;

    if (!item_present(result->status)) {
        BUF_APPEND_LIT(out, "null");
        return 0;
    }
    buf_append_span(out, json_find_next(walk, item_object(result), path, &value)
                             ? value
                             : SPAN("null"));
    return walk->p > from ? (size_t)(walk->p - from) : result->json.n;
}

static bool
append_columns(struct buf *out, const struct command *c, const struct reply *r)
{
    struct columns *cols = *r->kept;
    size_t work = 0, count, i;

    if (cols == NULL && (*r->kept = cols = columns_new(c, r)) == NULL) {
        out->failed = true;
        return true;
    }
    if (!columns_gather(cols, r)) {
        *r->next = 0;
        return false;
    }
    if (r->first == 0)
        append_data_begin(out, c);
    count = (c->nfields == 0 ? cols->n : c->nfields) * r->nresults;
    for (i = r->first; i < count; i++) {
        size_t column = i / r->nresults, at = i % r->nresults;

        if (at == 0)
            append_column_name(out, c, cols, column);
        buf_append_char(out, at == 0 ? '[' : ',');
        work += CELL_WORK +
                append_cell(out, &r->results[at], &cols->walks[at],
                            c->nfields == 0 ? cols->names[column] : c->fields[column]);
        if (at + 1 == r->nresults)
            buf_append_char(out, ']');
        if (reply_is_full(r, out, i, count, work))
            return false;
    }
    buf_append_span(out, count == 0 ? SPAN("{}") : SPAN("}"));
    return true;
}

bool
native_append_data(struct buf *out, const struct command *c, const struct reply *r)
{
    bool all = true;

    switch (c->layout) {
    case LAYOUT_LINES:
    case LAYOUT_ARRAY:
        all = append_array(out, c, r);
        break;
    case LAYOUT_MAP:
        all = append_map(out, c, r);
        break;
    case LAYOUT_COLUMNS:
        all = append_columns(out, c, r);
        break;
    }
    if (all)
        BUF_APPEND_LIT(out, "\r\n");
    return all;
}

void
native_append_statuses(struct buf *out, const struct reply *r)
{
    size_t i;

    BUF_APPEND_LIT(out, " status=");
    for (i = 0; i < r->nresults; i++) {
        enum item_status status = r->results[i].status;

        buf_append_char(out, status == ITEM_FOUND   ? 'I'
                             : status == ITEM_STALE ? 'S'
                             : status == ITEM_MISS  ? 'M'
                                                    : 'F');
    }
}
