/*
 * project.c - parts of an item, without taking it apart.
 */
#include "server/item/project.h"

#include "server/item/json.h"
#include "server/item/marks.h"

#define MEMBER_BYTES_MIN 4 /* "":0 */

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

static const struct json_walk nothing = { NULL, NULL, { NULL, 0 } };

struct json_walk
json_walk_begin(struct json_object object)
{
    struct span json = object.json;

    if (json.n < 2 || json.p[0] != '{')
        return nothing;
    return (struct json_walk){ json.p + 1, json.p + json.n - 1, object.marks };
}

/* The length of the member at 'p', from its marks.  0: there are none, or they are not of
 * this object, and no more of them is believed. */
static inline size_t
member_mark(const char *p, const char *end, struct span *marks)
{
    size_t n, left = (size_t)(end - p);

    if (marks->n == 0)
        return 0;
    n = marks_next(marks);
    if (likely(n >= MEMBER_BYTES_MIN && n <= left && p[0] == '"' &&
               (n == left || p[n] == ',')))
        return n;
    marks->n = 0;
    return 0;
}

/* Goes on behind the member (or element) that ends at 'p', and its comma. */
static inline void
walk_pass(struct json_walk *walk, const char *p)
{
    walk->p = p < walk->end ? p + 1 : walk->end;
}

bool
json_walk_next(struct json_walk *walk, struct span *name, struct span *value)
{
    const char *from = walk->p, *end = walk->end, *p;
    size_t n;

    if (from == end)
        return false;
    n = member_mark(from, end, &walk->marks);
    p = skip_string(from, n > 0 ? from + n : end);
    if (unlikely(p >= end)) { /* no object at all */
        walk->p = end;
        return false;
    }
    *name = span_of(from + 1, (size_t)(p - from) - 2);
    p++; /* the colon */
    end = n > 0 && p <= from + n ? from + n : skip_value(p, end);
    *value = span_of(p, (size_t)(end - p));
    walk_pass(walk, end);
    return true;
}

struct json_walk
json_elements_begin(struct span array)
{
    if (array.n < 2 || array.p[0] != '[')
        return nothing;
    return (struct json_walk){ array.p + 1, array.p + array.n - 1, { NULL, 0 } };
}

bool
json_elements_next(struct json_walk *walk, struct span *value)
{
    const char *from = walk->p, *p;

    if (from == walk->end)
        return false;
    p = skip_value(from, walk->end);
    *value = span_of(from, (size_t)(p - from));
    walk_pass(walk, p);
    return true;
}

/* Is the member of 'n' bytes at 'p' the one of that name?  Almost always a look at two
 * bytes tells that it is not: names begin alike more often than they end alike. */
static inline bool
member_is(const char *p, size_t n, struct span name)
{
    return n > name.n + 3 && p[name.n + 1] == '"' &&
           p[name.n] == (name.n == 0 ? '"' : name.p[name.n - 1]) &&
           memcmp(p + 1, name.p, name.n) == 0 && skip_string(p, p + n) == p + name.n + 2;
}

/* Goes on as far as the marks lead.  Works on copies: through 'walk' each step would wait
 * for what the last one wrote. */
static inline bool
walk_find_marked(struct json_walk *walk, const char *stop, struct span name,
                 struct span *value)
{
    struct json_walk w = *walk;
    bool found = false;
    const char *p;
    size_t n;

    while (!found && (p = w.p) != stop && (n = member_mark(p, w.end, &w.marks)) > 0) {
        walk_pass(&w, p + n);
        if ((found = member_is(p, n, name)))
            *value = span_of(p + name.n + 3, n - name.n - 3);
    }
    *walk = w;
    return found;
}

/* Goes on to the member of that name, but not beyond 'stop'. */
static bool
walk_find(struct json_walk *walk, const char *stop, struct span name, struct span *value)
{
    struct span member;

    if (walk_find_marked(walk, stop, name, value))
        return true;
    while (walk->p != stop && json_walk_next(walk, &member, value)) {
        if (span_equal(member, name))
            return true;
    }
    return false;
}

static bool
find_member(struct json_object object, struct span name, struct span *value)
{
    struct json_walk walk = json_walk_begin(object);

    return walk_find(&walk, walk.end, name, value);
}

bool
json_find(struct json_object object, struct span path, struct span *value)
{
    const char *point;
    struct span inner;
    size_t n;

    if (find_member(object, path, value))
        return true;
    while ((point = memchr(path.p, '.', path.n)) != NULL) {
        n = (size_t)(point - path.p);
        if (!find_member(object, span_of(path.p, n), &inner))
            return false;
        object = json_plain(inner);
        path = span_of(point + 1, path.n - n - 1);
        if (find_member(object, path, value))
            return true;
    }
    return false;
}

/* No member bears the whole path as its name: what is inside them? */
static bool
find_inside(struct json_object object, struct span path, struct span *value)
{
    return memchr(path.p, '.', path.n) != NULL && json_find(object, path, value);
}

/* The member of that name, from where the walk stands and round. */
static bool
find_around(struct json_walk *from, struct json_object object, struct span name,
            struct span *value)
{
    const char *begun = from->p;

    if (walk_find(from, from->end, name, value))
        return true;
    *from = json_walk_begin(object);
    return walk_find(from, begun, name, value);
}

bool
json_find_next(struct json_walk *from, struct json_object object, struct span path,
               struct span *value)
{
    return find_around(from, object, path, value) || find_inside(object, path, value);
}

static void
append_member(struct buf *out, struct span name, struct span value)
{
    json_append_string(out, name);
    buf_append_char(out, ':');
    buf_append_span(out, value);
}

void
json_project(struct buf *out, struct json_object object, const struct span *fields,
             size_t n)
{
    struct json_walk walk = json_walk_begin(object);
    struct span value;
    size_t i;

    buf_append_char(out, '{');
    for (i = 0; i < n; i++) {
        struct span field = fields[i];

        if (i > 0)
            buf_append_char(out, ',');
        if (!find_around(&walk, object, field, &value))
            append_member(out, field,
                          find_inside(object, field, &value) ? value : SPAN("null"));
        else if (memchr(field.p, '\\', field.n) != NULL)
            append_member(out, field, value); /* escaped once more */
        else /* the name stands before it as it was asked for */
            buf_append(out, value.p - field.n - 3, field.n + 3 + value.n);
    }
    buf_append_char(out, '}');
}
