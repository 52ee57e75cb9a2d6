/*
 * project.c - parts of an item, without taking it apart.
 */
#include "server/item/project.h"

#include "server/item/json.h"

/* The end of the string that begins (with its quote) at 'p'. */
static const char *
skip_string(const char *p, const char *end)
{
    const char *from = ++p, *before;

    while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
        for (before = p; before > from && before[-1] == '\\'; before--)
            ;
        if ((p - before) % 2 == 0)
            return p + 1;
        from = ++p; /* it is escaped */
    }
    return end;
}

static const char *
skip_nested(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        p++;
        if (depth == 0)
            break;
    }
    return p;
}

/* The end of the value that begins at 'p'. */
static const char *
skip_value(const char *p, const char *end)
{
    if (p >= end)
        return end;
    if (*p == '"')
        return skip_string(p, end);
    if (*p == '{' || *p == '[')
        return skip_nested(p, end);
    while (p < end && *p != ',' && *p != '}' && *p != ']')
        p++;
    return p;
}

struct json_walk
json_walk_begin(struct span object)
{
    bool is_object = object.n >= 2 && object.p[0] == '{';

    return is_object ? (struct json_walk){ object.p + 1, object.p + object.n - 1 }
                     : (struct json_walk){ NULL, NULL };
}

bool
json_walk_next(struct json_walk *walk, struct span *name, struct span *value)
{
    const char *p = walk->p, *end = walk->end, *from;

    if (p == end)
        return false;
    from = p;
    p = skip_string(p, end);
    *name = span_of(from + 1, (size_t)(p - from) - 2);
    from = p + 1; /* behind the colon */
    p = skip_value(from, end);
    *value = span_of(from, (size_t)(p - from));
    walk->p = p < end ? p + 1 : end; /* behind the comma */
    return true;
}

struct json_walk
json_elements_begin(struct span array)
{
    bool is_array = array.n >= 2 && array.p[0] == '[';

    return is_array ? (struct json_walk){ array.p + 1, array.p + array.n - 1 }
                    : (struct json_walk){ NULL, NULL };
}

bool
json_elements_next(struct json_walk *walk, struct span *value)
{
    const char *from = walk->p, *p;

    if (from == walk->end)
        return false;
    p = skip_value(from, walk->end);
    *value = span_of(from, (size_t)(p - from));
    walk->p = p < walk->end ? p + 1 : walk->end; /* behind the comma */
    return true;
}

static bool
find_member(struct span object, struct span name, struct span *value)
{
    struct json_walk walk = json_walk_begin(object);
    struct span member;

    while (json_walk_next(&walk, &member, value)) {
        if (span_equal(member, name))
            return true;
    }
    return false;
}

bool
json_find(struct span object, struct span path, struct span *value)
{
    const char *point;
    size_t n;

    if (find_member(object, path, value))
        return true;
    while ((point = memchr(path.p, '.', path.n)) != NULL) {
        n = (size_t)(point - path.p);
        if (!find_member(object, span_of(path.p, n), &object))
            return false;
        path = span_of(point + 1, path.n - n - 1);
        if (find_member(object, path, value))
            return true;
    }
    return false;
}

bool
json_find_next(struct json_walk *from, struct span object, struct span path,
               struct span *value)
{
    const char *begun = from->p;
    struct span member;

    while (json_walk_next(from, &member, value)) {
        if (span_equal(member, path))
            return true;
    }
    *from = json_walk_begin(object);
    while (from->p != begun && json_walk_next(from, &member, value)) {
        if (span_equal(member, path))
            return true;
    }
    return memchr(path.p, '.', path.n) != NULL && json_find(object, path, value);
}

void
json_project(struct buf *out, struct span object, const struct span *fields, size_t n)
{
    struct json_walk walk = json_walk_begin(object);
    struct span value;
    size_t i;

    buf_append_char(out, '{');
    for (i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_append_string(out, fields[i]);
        buf_append_char(out, ':');
        buf_append_span(out, json_find_next(&walk, object, fields[i], &value)
                                 ? value
                                 : SPAN("null"));
    }
    buf_append_char(out, '}');
}
