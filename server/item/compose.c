/*
 * compose.c - a row becomes an item's bytes.
 *
 * The plan keeps every name as it will stand in the item, escaped, quoted, with its
 * colon and the comma or brace before it, so a field is a copy and a value:
 *
 *     {"id":  7  ,"title":  "..."  ,"price":  12.50  }
 *     prefix     prefix            prefix            always has its byte of room
 *
 * A writer runs a pointer through the buffer's room and compares once per field with
 * a bound of what the field may take.  Only when that fails is the field measured
 * exactly, to grow the buffer or to refuse the item: so a row that is too large is
 * refused before it is expanded, and one that just fits is never refused.
 */
#include "server/item/compose.h"

#include "common/scan.h"
#include "server/item/json.h"
#include "server/item/json_put.h"

#include <assert.h>
#include <stdlib.h>

struct column {
    const char *prefix; /* ,"name": - never empty, as scan_copy wants */
    size_t prefix_bytes;
    size_t index; /* where its value stands in the row */
    size_t bound; /* prefix, and what a value may take beyond its own bytes */
    enum compose_kind kind;
};

struct compose_plan {
    struct buf prefixes;
    size_t n; /* columns shown */
    struct column columns[];
};

struct writer {
    struct buf *out;
    size_t max_bytes;
    size_t before; /* live bytes that are not ours */
    char *to;
    char *end; /* of the room, or of what the item may take */
};

/* The closing brace. */
#define END_BYTES 1
#define EMPTY_BYTES 2 /* {} */
#define NULL_BYTES 4

/* What a value may take beyond its raw bytes when nothing needs escaping. */
static size_t
kind_bound(enum compose_kind kind)
{
    switch (kind) {
    case COMPOSE_NUMBER:
        return JSON_NUMBER_MORE;
    case COMPOSE_TEXT:
    case COMPOSE_JSON:
        return NULL_BYTES; /* or two quotes */
    case COMPOSE_BINARY:
        return 6; /* n + n / 2 + 6 is never less than json_base64_size(n) */
    case COMPOSE_BITS:
        return JSON_BITS_MAX;
    case COMPOSE_SKIP:
        break;
    }
    return 0;
}

static void
plan_add(struct compose_plan *plan, size_t index, struct span name,
         enum compose_kind kind)
{
    struct column *c = &plan->columns[plan->n];
    size_t from = buf_size(&plan->prefixes);

    buf_append_char(&plan->prefixes, plan->n == 0 ? '{' : ',');
    json_append_string(&plan->prefixes, name);
    buf_append_char(&plan->prefixes, ':');
    c->prefix_bytes = buf_size(&plan->prefixes) - from;
    c->index = index;
    c->kind = kind;
    c->bound = c->prefix_bytes + kind_bound(kind) + END_BYTES;
    plan->n++;
}

struct compose_plan *
compose_plan_new(const struct span *names, const enum compose_kind *kinds, size_t n)
{
    struct compose_plan *plan = calloc(1, sizeof(*plan) + n * sizeof(plan->columns[0]));
    const char *prefix;
    size_t i;

    if (plan == NULL)
        return NULL;
    buf_init(&plan->prefixes, 0);
    for (i = 0; i < n; i++) {
        if (kinds[i] != COMPOSE_SKIP)
            plan_add(plan, i, names[i], kinds[i]);
    }
    if (buf_failed(&plan->prefixes)) {
        compose_plan_free(&plan);
        return NULL;
    }
    prefix = plan->prefixes.data; /* moves no more */
    for (i = 0; i < plan->n; i++) {
        plan->columns[i].prefix = prefix;
        prefix += plan->columns[i].prefix_bytes;
    }
    return plan;
}

void
compose_plan_free(struct compose_plan **plan)
{
    if (*plan == NULL)
        return;
    buf_fini(&(*plan)->prefixes);
    free(*plan);
    *plan = NULL;
}

/* Finds where the item goes on and how far it may. */
static void
writer_aim(struct writer *w, size_t used)
{
    struct buf *out = w->out;
    size_t room = out->cap - out->off - w->before;

    if (out->max != 0 && out->max - w->before < room)
        room = out->max - w->before;
    if (w->max_bytes != 0 && w->max_bytes < room)
        room = w->max_bytes;
    w->to = out->data + out->off + w->before + used;
    w->end = w->to + (room - used);
}

static inline size_t
writer_used(const struct writer *w)
{
    return (size_t)(w->to - (w->out->data + w->out->off + w->before));
}

/* Room for 'need' more bytes.  false: too long, or no memory. */
static bool
writer_grow(struct writer *w, size_t need)
{
    size_t used = writer_used(w);

    if (w->max_bytes != 0 && need > w->max_bytes - used)
        return false;
    w->out->len = w->out->off + w->before + used; /* or a move would leave it behind */
    if (buf_reserve(w->out, need) == NULL)
        return false;
    writer_aim(w, used);
    return true;
}

static size_t
value_size(enum compose_kind kind, struct span v)
{
    size_t size;

    if (v.p == NULL)
        return NULL_BYTES;
    switch (kind) {
    case COMPOSE_NUMBER:
        return json_number_size(v);
    case COMPOSE_BINARY:
        return json_base64_size(v.n);
    case COMPOSE_BITS:
        return json_bits_size(v);
    case COMPOSE_JSON:
        if (json_put_compact(NULL, v, &size))
            return size;
        break;
    case COMPOSE_TEXT:
    case COMPOSE_SKIP:
        break;
    }
    return json_text_size(v).bytes + 2;
}

/* The bound of a field did not fit: does the field? */
static bool
writer_grow_exact(struct writer *w, const struct column *c, struct span v)
{
    bool never_shrinks = c->kind == COMPOSE_TEXT || c->kind == COMPOSE_BINARY;

    /* A huge text need not be measured to be refused. */
    if (w->max_bytes != 0 && v.p != NULL && never_shrinks && v.n > w->max_bytes)
        return false;
    return writer_grow(w, c->prefix_bytes + value_size(c->kind, v) + END_BYTES);
}

/* Text from its first byte that is not plain; its closing quote is still to come. */
static bool
put_special_text(struct writer *w, struct span s)
{
    struct json_text_size size;
    size_t need;

    if ((size_t)(w->end - w->to) / JSON_TEXT_TIMES > s.n) {
        w->to = json_put_text(w->to, s); /* room for the worst there already */
        return true;
    }
    size = json_text_size(s);
    need = size.bytes + 1 + END_BYTES;
    if ((size_t)(w->end - w->to) < need && !writer_grow(w, need))
        return false;
    if (size.as_is)
        w->to = (char *)memcpy(w->to, s.p, s.n) + s.n;
    else
        w->to = json_put_text(w->to, s);
    return true;
}

static bool
put_text(struct writer *w, struct span s)
{
    size_t plain;

    *w->to++ = '"';
    plain = json_put_plain(w->to, s);
    w->to += plain;
    if (unlikely(plain < s.n) && !put_special_text(w, span_of(s.p + plain, s.n - plain)))
        return false;
    *w->to++ = '"';
    return true;
}

/* What a JSON column holds that is not JSON travels as a string. */
static bool
put_json(struct writer *w, struct span s)
{
    size_t size;

    if (!json_put_compact(w->to, s, &size))
        return put_text(w, s);
    w->to += size;
    return true;
}

static bool
put_field(struct writer *w, const struct column *c, struct span v)
{
    size_t n = v.p == NULL ? 0 : v.n;
    size_t bound = c->bound + n + (c->kind == COMPOSE_BINARY ? n / 2 : 0);

    if (unlikely((size_t)(w->end - w->to) < bound) && !writer_grow_exact(w, c, v))
        return false;
    w->to = scan_copy(w->to, c->prefix, c->prefix_bytes);
    if (v.p == NULL) {
        memcpy(w->to, "null", NULL_BYTES);
        w->to += NULL_BYTES;
        return true;
    }
    switch (c->kind) {
    case COMPOSE_NUMBER:
        w->to = json_put_number(w->to, v);
        return true;
    case COMPOSE_TEXT:
        return put_text(w, v);
    case COMPOSE_BINARY:
        w->to = json_put_base64(w->to, v);
        return true;
    case COMPOSE_BITS:
        w->to = json_put_bits(w->to, v);
        return true;
    case COMPOSE_JSON:
        return put_json(w, v);
    case COMPOSE_SKIP:
        break;
    }
    assert(c->kind != COMPOSE_SKIP); /* the plan leaves these out */
    return true;
}

bool
compose_item(const struct compose_plan *plan, const struct span *values, size_t max_bytes,
             struct buf *out)
{
    struct writer w = { out, max_bytes, buf_size(out), NULL, NULL };
    size_t i;

    if ((max_bytes != 0 && max_bytes < EMPTY_BYTES) ||
        buf_reserve(out, EMPTY_BYTES) == NULL)
        return false;
    writer_aim(&w, 0);
    if (plan->n == 0)
        *w.to++ = '{';
    for (i = 0; i < plan->n; i++) {
        if (!put_field(&w, &plan->columns[i], values[plan->columns[i].index])) {
            out->len = out->off + w.before;
            return false;
        }
    }
    *w.to++ = '}';
    out->len = out->off + w.before + writer_used(&w);
    return true;
}
