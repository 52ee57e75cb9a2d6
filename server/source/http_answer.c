/*
 * http_answer.c - the bytes of one HTTP/1.x answer, read strictly.
 *
 *     STATUS_LINE -> HEADER_LINE* -> BODY_COUNTED | BODY_TO_END | complete
 *         ^              |     `---> CHUNK_SIZE -> CHUNK_BYTES -> CHUNK_END -> CHUNK_SIZE
 *         `--- 1xx ------'               `---> TRAILER_LINE* -> complete
 *
 * Lines are taken whole from what was read; only one that is cut by the end of a read is
 * copied.  The same goes for a body that came in one piece.
 */
#include "server/source/http_answer.h"

#include <string.h>
#include <strings.h>

/* What every answer begins with; looked at however little room is left, so that the verdict
 * does not depend on how the bytes were cut. */
#define BEGIN "HTTP/1."
#define BEGIN_BYTES (sizeof(BEGIN) - 1)
/* Of a line that says a chunk's size, extensions included. */
#define CHUNK_LINE_MAX 128
/* What is kept of a body's buffer for the next answer. */
#define BODY_KEEP ((size_t)64 << 10)

void
http_answer_init(struct http_answer *a, size_t header_max, size_t body_max)
{
    memset(a, 0, sizeof(*a));
    a->header_max = header_max;
    a->body_max = body_max;
    buf_init(&a->line, 0);
    buf_init(&a->body, 0);
    http_answer_reset(a);
}

void
http_answer_fini(struct http_answer *a)
{
    buf_fini(&a->line);
    buf_fini(&a->body);
}

void
http_answer_reset(struct http_answer *a)
{
    a->part = HTTP_STATUS_LINE;
    a->status = 0;
    a->why = "";
    a->started = a->keeps = a->has_length = a->chunked = false;
    a->left = 0;
    a->header_bytes = 0;
    buf_clear(&a->line);
    buf_clear(&a->body);
    buf_shrink(&a->body, BODY_KEEP);
    a->at_once = span_of(NULL, 0);
}

struct span
http_answer_body(const struct http_answer *a)
{
    return a->at_once.n > 0 ? a->at_once : buf_span(&a->body);
}

static enum http_progress
broken(struct http_answer *a, const char *why)
{
    a->why = why;
    return HTTP_BROKEN;
}

/* --- the first line ----------------------------------------------------------------- */

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", "HTTP/1.0 404" */
static enum http_progress
read_status_line(struct http_answer *a, struct span line)
{
    if (line.n < 12 || memcmp(line.p, BEGIN, BEGIN_BYTES) != 0 ||
        (line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' ')
        return broken(a, "not an HTTP/1.x status line");
    if (line.p[9] < '1' || line.p[9] > '5' || !is_digit(line.p[10]) ||
        !is_digit(line.p[11]) || (line.n > 12 && line.p[12] != ' '))
        return broken(a, "no status of three digits");
    a->status = (unsigned)((line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 +
                           (line.p[11] - '0'));
    a->keeps = line.p[7] == '1';
    a->part = HTTP_HEADER_LINE;
    return HTTP_MORE;
}

/* What else speaks first, TLS or SSH or HTTP/2, might never send a newline. */
static bool
may_be_status_line(struct span begin)
{
    return memcmp(begin.p, BEGIN, begin.n < BEGIN_BYTES ? begin.n : BEGIN_BYTES) == 0;
}

/* --- headers ------------------------------------------------------------------------ */

static bool
is_token_char(unsigned char c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(marks, c) != NULL);
}

static bool
span_is(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static struct span
trimmed(struct span s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = span_of(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* "Name: value" into its parts.  A line that begins with a blank has no name. */
static bool
split_header(struct span line, struct span *name, struct span *value)
{
    size_t i, n = 0;

    while (n < line.n && is_token_char((unsigned char)line.p[n]))
        n++;
    if (n == 0 || n == line.n || line.p[n] != ':')
        return false;
    for (i = n + 1; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    *name = span_of(line.p, n);
    *value = trimmed(span_of(line.p + n + 1, line.n - n - 1));
    return true;
}

static enum http_progress
read_length(struct http_answer *a, struct span digits)
{
    uint64_t length = 0;
    size_t i;

    if (a->has_length)
        return broken(a, "two Content-Length");
    for (i = 0; i < digits.n && i < 19; i++) {
        if (!is_digit(digits.p[i]))
            return broken(a, "Content-Length is no number");
        length = length * 10 + (uint64_t)(digits.p[i] - '0');
    }
    if (digits.n == 0 || i < digits.n)
        return broken(a, "Content-Length is no number");
    a->has_length = true;
    a->left = length;
    return HTTP_MORE;
}

/* A list of words; the last one that we know of decides. */
static void
read_connection(struct http_answer *a, struct span list)
{
    while (list.n > 0) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma == NULL ? list.n : (size_t)(comma - list.p);
        struct span word = trimmed(span_of(list.p, n));

        if (span_is(word, "close"))
            a->keeps = false;
        else if (span_is(word, "keep-alive"))
            a->keeps = true;
        n += comma == NULL ? 0 : 1;
        list = span_of(list.p + n, list.n - n);
    }
}

static enum http_progress
read_header(struct http_answer *a, struct span line)
{
    struct span name, value;

    if (!split_header(line, &name, &value))
        return broken(a, "a line that is no header");
    if (span_is(name, "content-length"))
        return read_length(a, value);
    if (span_is(name, "transfer-encoding")) {
        if (a->chunked || !span_is(value, "chunked"))
            return broken(a, "Transfer-Encoding is not chunked");
        a->chunked = true;
    } else if (span_is(name, "content-encoding") && !span_is(value, "identity")) {
        return broken(a, "a Content-Encoding that was not asked for");
    } else if (span_is(name, "connection")) {
        read_connection(a, value);
    }
    return HTTP_MORE;
}

/* The empty line: what follows? */
static enum http_progress
end_headers(struct http_answer *a)
{
    if (a->status == 101)
        return broken(a, "switches to a protocol that was not asked for");
    if (a->status < 200) {
        if (a->has_length || a->chunked)
            return broken(a, "an interim answer with a body");
        a->part = HTTP_STATUS_LINE;
        return HTTP_MORE;
    }
    if (a->chunked && a->has_length)
        return broken(a, "chunks and a Content-Length");
    if (a->status == 204 || a->status == 304) {
        a->keeps = false; /* some send a body all the same */
        return HTTP_COMPLETE;
    }
    if (a->chunked) {
        a->part = HTTP_CHUNK_SIZE;
        return HTTP_MORE;
    }
    if (!a->has_length) {
        a->keeps = false;
        a->part = HTTP_BODY_TO_END;
        return HTTP_MORE;
    }
    if (a->left > a->body_max)
        return HTTP_TOOLARGE;
    a->part = HTTP_BODY_COUNTED;
    return a->left == 0 ? HTTP_COMPLETE : HTTP_MORE;
}

/* --- chunks ------------------------------------------------------------------------- */

static int
hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1a2b", perhaps with ";extensions" that mean nothing to us. */
static enum http_progress
read_chunk_size(struct http_answer *a, struct span line)
{
    uint64_t size = 0;
    size_t n;

    for (n = 0; n < line.n && n < 15 && hex_value(line.p[n]) >= 0; n++)
        size = size << 4 | (uint64_t)hex_value(line.p[n]);
    if (n == 0 || (n < line.n && line.p[n] != ';'))
        return broken(a, "a chunk size that is no hexadecimal number");
    for (; n < line.n; n++) {
        if ((unsigned char)line.p[n] < 0x20 || line.p[n] == 0x7f)
            return broken(a, "control characters behind a chunk size");
    }
    if (size > a->body_max - buf_size(&a->body))
        return HTTP_TOOLARGE;
    a->left = size;
    a->part = size == 0 ? HTTP_TRAILER_LINE : HTTP_CHUNK_BYTES;
    return HTTP_MORE;
}

/* --- lines -------------------------------------------------------------------------- */

static enum http_progress
read_line(struct http_answer *a, struct span line)
{
    struct span name, value;

    switch (a->part) {
    case HTTP_STATUS_LINE:
        return read_status_line(a, line);
    case HTTP_HEADER_LINE:
        return line.n == 0 ? end_headers(a) : read_header(a, line);
    case HTTP_CHUNK_SIZE:
        return read_chunk_size(a, line);
    case HTTP_CHUNK_END:
        if (line.n != 0)
            return broken(a, "a chunk longer than its size");
        a->part = HTTP_CHUNK_SIZE;
        return HTTP_MORE;
    case HTTP_TRAILER_LINE:
        if (line.n == 0)
            return HTTP_COMPLETE;
        return split_header(line, &name, &value) ? HTTP_MORE
                                                 : broken(a, "a line that is no trailer");
    case HTTP_BODY_COUNTED:
    case HTTP_BODY_TO_END:
    case HTTP_CHUNK_BYTES:
        break;
    }
    return broken(a, "not a line");
}

/* How long the line that comes next may be. */
static size_t
line_room(const struct http_answer *a)
{
    size_t left = a->header_max - a->header_bytes;

    switch (a->part) {
    case HTTP_CHUNK_SIZE:
        return CHUNK_LINE_MAX;
    case HTTP_CHUNK_END:
        return 2;
    case HTTP_STATUS_LINE:
        return left < BEGIN_BYTES ? BEGIN_BYTES : left;
    case HTTP_HEADER_LINE:
    case HTTP_TRAILER_LINE:
    case HTTP_BODY_COUNTED:
    case HTTP_BODY_TO_END:
    case HTTP_CHUNK_BYTES:
        break;
    }
    return left;
}

/* 'in' goes on with a line that has no room. */
static enum http_progress
too_long(struct http_answer *a, struct span in)
{
    if (a->part == HTTP_STATUS_LINE) {
        buf_append(&a->line, in.p, in.n < BEGIN_BYTES ? in.n : BEGIN_BYTES);
        if (!may_be_status_line(buf_span(&a->line)))
            return broken(a, "not an HTTP/1.x status line");
    }
    if (a->part == HTTP_CHUNK_END)
        return broken(a, "a chunk longer than its size");
    return a->part == HTTP_CHUNK_SIZE ? broken(a, "an endless chunk size")
                                      : HTTP_TOOLARGE;
}

/* A line without its CRLF; whole in 'in', or the end of what was kept before. */
static enum http_progress
take_line(struct http_answer *a, struct span in, size_t *used)
{
    const char *end = memchr(in.p, '\n', in.n);
    size_t n = end == NULL ? in.n : (size_t)(end - in.p) + 1;
    struct span line = span_of(in.p, n);
    enum http_progress progress;

    *used = n;
    if (buf_size(&a->line) + n > line_room(a))
        return too_long(a, in);
    if (end == NULL || buf_size(&a->line) > 0) {
        buf_append(&a->line, in.p, n);
        line = buf_span(&a->line);
    }
    if (buf_failed(&a->line))
        return HTTP_TOOLARGE;
    if (end == NULL)
        return a->part == HTTP_STATUS_LINE && !may_be_status_line(line)
                   ? broken(a, "not an HTTP/1.x status line")
                   : HTTP_MORE;
    if (line.n < 2 || line.p[line.n - 2] != '\r')
        return broken(a, "a line that does not end in CRLF");
    if (a->part != HTTP_CHUNK_SIZE && a->part != HTTP_CHUNK_END)
        a->header_bytes += line.n;
    progress = read_line(a, span_of(line.p, line.n - 2));
    buf_clear(&a->line);
    return progress;
}

/* --- bodies ------------------------------------------------------------------------- */

static enum http_progress
take_body(struct http_answer *a, struct span in, size_t *used)
{
    bool to_end = a->part == HTTP_BODY_TO_END;
    size_t n = to_end || in.n < a->left ? in.n : (size_t)a->left;

    *used = n;
    if (n > a->body_max - buf_size(&a->body))
        return HTTP_TOOLARGE;
    if (a->part == HTTP_BODY_COUNTED && n == a->left && buf_size(&a->body) == 0) {
        a->at_once = span_of(in.p, n);
        return HTTP_COMPLETE;
    }
    buf_append(&a->body, in.p, n);
    if (buf_failed(&a->body))
        return HTTP_TOOLARGE;
    if (to_end)
        return HTTP_MORE;
    a->left -= n;
    if (a->left > 0)
        return HTTP_MORE;
    if (a->part == HTTP_BODY_COUNTED)
        return HTTP_COMPLETE;
    a->part = HTTP_CHUNK_END;
    return HTTP_MORE;
}

enum http_progress
http_answer_feed(struct http_answer *a, struct span in, size_t *used)
{
    enum http_progress progress = HTTP_MORE;

    *used = 0;
    while (progress == HTTP_MORE && *used < in.n) {
        struct span rest = span_of(in.p + *used, in.n - *used);
        size_t n = 0;

        a->started = true;
        if (a->part == HTTP_BODY_COUNTED || a->part == HTTP_BODY_TO_END ||
            a->part == HTTP_CHUNK_BYTES)
            progress = take_body(a, rest, &n);
        else
            progress = take_line(a, rest, &n);
        *used += n;
    }
    return progress;
}

enum http_progress
http_answer_end(struct http_answer *a)
{
    a->keeps = false;
    if (a->part == HTTP_BODY_TO_END)
        return HTTP_COMPLETE;
    return broken(a, a->started ? "ends in the middle" : "no answer");
}
