/*
 * fuzz_http.c - any bytes as the answer of an HTTP API.
 *
 * The first byte says how large the pieces are.  Whatever comes out must be the same as
 * when all is read at once, and a body within its bound.
 */
#include "server/source/http_answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX 600
#define BODY_MAX 700

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool fact)
{
    if (!fact)
        abort();
}

/* Each piece in a block of its own size, freed before the next: a look at an old piece or
 * beyond the end is seen. */
static enum http_progress
feed(struct http_answer *a, struct span in, size_t step, size_t *used, struct buf *body)
{
    enum http_progress progress = HTTP_MORE;
    char *piece = NULL;

    for (*used = 0; progress == HTTP_MORE && *used < in.n;) {
        size_t n = in.n - *used < step ? in.n - *used : step, taken;

        free(piece);
        piece = malloc(n);
        require(piece != NULL);
        memcpy(piece, in.p + *used, n);
        progress = http_answer_feed(a, span_of(piece, n), &taken);
        require(taken <= n && (taken == n || progress != HTTP_MORE));
        *used += taken;
    }
    if (progress == HTTP_MORE)
        progress = http_answer_end(a);
    require(progress != HTTP_MORE);
    if (progress == HTTP_COMPLETE)
        buf_append_span(body, http_answer_body(a));
    free(piece);
    return progress;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in;
    struct http_answer a;
    struct buf whole = BUF_INIT, pieces = BUF_INIT;
    enum http_progress one, other;
    size_t one_used, other_used;

    if (size == 0)
        return 0;
    in = span_of((const char *)data + 1, size - 1);
    http_answer_init(&a, HEADER_MAX, BODY_MAX);
    one = feed(&a, in, in.n + 1, &one_used, &whole);
    http_answer_reset(&a);
    other = feed(&a, in, (size_t)data[0] + 1, &other_used, &pieces);
    require(one == other && buf_size(&whole) <= BODY_MAX);
    require(span_equal(buf_span(&whole), buf_span(&pieces)));
    require(one != HTTP_COMPLETE || one_used == other_used);
    http_answer_fini(&a);
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
