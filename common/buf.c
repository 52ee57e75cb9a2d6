/*
 * buf.c - bytes that grow.
 */
#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_MIN 256

void
buf_init(struct buf *b, size_t max)
{
    *b = (struct buf)BUF_INIT;
    b->max = max;
}

void
buf_fini(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
    b->off = b->len = 0;
    b->failed = false;
}

char *
buf_reserve_slow(struct buf *b, size_t n)
{
    size_t live = buf_size(b), want, cap;
    char *data;

    if (b->failed)
        return NULL;
    if (n > SIZE_MAX / 4 || live > SIZE_MAX / 4 || (b->max != 0 && live + n > b->max)) {
        b->failed = true;
        return NULL;
    }
    want = live + n;
    if (b->off > 0 && (b->off >= live || b->cap - b->len < n)) {
        if (live > 0)
            memmove(b->data, b->data + b->off, live);
        b->off = 0;
        b->len = live;
    }
    if (b->cap - b->len >= n && b->data != NULL)
        return b->data + b->len;
    for (cap = b->cap < BUF_MIN ? BUF_MIN : b->cap; cap < want + b->off;)
        cap *= 2;
    if ((data = realloc(b->data, cap)) == NULL) {
        b->failed = true;
        return NULL;
    }
    b->data = data;
    b->cap = cap;
    return b->data + b->len;
}

void
buf_append_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t i = sizeof(digits);

    do {
        digits[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    buf_append(b, digits + i, sizeof(digits) - i);
}

void
buf_append_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char *to;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || (to = buf_reserve(b, (size_t)n + 1)) == NULL) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void
buf_consume(struct buf *b, size_t n)
{
    assert(n <= buf_size(b));
    b->off += n;
    if (b->off == b->len)
        b->off = b->len = 0;
}

void
buf_shrink(struct buf *b, size_t keep)
{
    if (buf_size(b) == 0 && b->cap > keep) {
        free(b->data);
        b->data = NULL;
        b->off = b->len = b->cap = 0;
    }
}
