/*
 * span.h - a borrowed piece of bytes.
 *
 * Owns nothing: a span points into somebody's memory and never outlives the
 * callback it was given to; copy to keep.  May hold any byte, NUL included.
 */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

/* A span over a string literal, without its NUL. */
#define SPAN(lit) ((struct span){ (lit), sizeof(lit) - 1 })

/* For printf's "%.*s". */
#define SPAN_FMT(s) (int)(s).n, (s).p

static inline struct span
span_of(const char *p, size_t n)
{
    return (struct span){ p, n };
}

/* A span over a NUL-terminated string; NULL gives the empty span. */
static inline struct span
span_str(const char *s)
{
    return (struct span){ s, s == NULL ? 0 : strlen(s) };
}

static inline bool
span_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
