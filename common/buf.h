/*
 * buf.h - bytes that grow.
 *
 * Owns: one contiguous heap block.  Appending never returns an error: a buffer
 * that could not grow (no memory, or past its cap) is marked failed, ignores
 * further appends and says so once, at the end, in buf_failed().
 *
 *     0 ........ off ......... len ........ cap
 *     consumed   | live bytes  | room
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data;
    size_t off;
    size_t len;
    size_t cap;
    size_t max; /* live bytes it may hold at most; 0: no bound but memory */
    bool failed;
};

/* clang-format off */
#define BUF_INIT { NULL, 0, 0, 0, 0, false }
/* clang-format on */

void buf_init(struct buf *b, size_t max);

/* Frees the block; the buffer is empty and usable again. */
void buf_fini(struct buf *b);

/* Forgets the content and the failure, keeps the block. */
void buf_clear(struct buf *b);

static inline bool
buf_failed(const struct buf *b)
{
    return b->failed;
}

/* The live bytes; valid until the next append, reserve or fini. */
static inline struct span
buf_span(const struct buf *b)
{
    return b->data == NULL ? span_of(NULL, 0)
                           : span_of(b->data + b->off, b->len - b->off);
}

static inline size_t
buf_size(const struct buf *b)
{
    return b->len - b->off;
}

/* Makes room for 'n' more bytes and returns where to write them; NULL when that
 * failed (and the buffer is marked).  Follow with buf_commit of at most 'n'. */
char *buf_reserve_slow(struct buf *b, size_t n) MUST_CHECK;

static inline char *
buf_reserve(struct buf *b, size_t n)
{
    if (likely(!b->failed && b->cap - b->len >= n && b->cap > 0 &&
               (b->max == 0 || b->len - b->off + n <= b->max)))
        return b->data + b->len;
    return buf_reserve_slow(b, n);
}

static inline void
buf_commit(struct buf *b, size_t n)
{
    b->len += n;
}

static inline void
buf_append(struct buf *b, const void *p, size_t n)
{
    char *to = buf_reserve(b, n);

    if (likely(to != NULL && n > 0)) {
        memcpy(to, p, n);
        b->len += n;
    }
}

static inline void
buf_append_span(struct buf *b, struct span s)
{
    buf_append(b, s.p, s.n);
}

static inline void
buf_append_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

#define BUF_APPEND_LIT(b, lit) buf_append((b), (lit), sizeof(lit) - 1)

/* Digits of 'v'. */
void buf_append_u64(struct buf *b, uint64_t v);

void buf_append_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops 'n' live bytes from the front; cheap, moves nothing until room is needed. */
void buf_consume(struct buf *b, size_t n);

/* Gives memory back when the buffer is empty and larger than 'keep'. */
void buf_shrink(struct buf *b, size_t keep);

#endif
