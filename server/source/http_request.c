/*
 * http_request.c - ids become the bytes of a request.
 *
 *     GET /items/ a%20b ?lang=en HTTP/1.1      POST /items HTTP/1.1
 *         before  id    after                  ...
 *     Host: ...                                Content-Length: 11
 *
 *                                              [ "a b","c" ]
 *                                              before     after
 */
#include "server/source/http_request.h"

#include "server/item/json.h"

#include <string.h>
#include <strings.h>

#define USER_AGENT "fetchd/" FETCHD_VERSION

/* --- once --------------------------------------------------------------------------- */

/* Does the configuration name this header itself? */
static bool
is_configured(const struct config_http *http, const char *name)
{
    size_t i, n = strlen(name);

    for (i = 0; i < http->headers.n; i++) {
        if (strncasecmp(http->headers.v[i], name, n) == 0 && http->headers.v[i][n] == ':')
            return true;
    }
    return false;
}

static void
append_default(struct buf *out, const struct config_http *http, const char *name,
               const char *value)
{
    if (!is_configured(http, name))
        buf_append_fmt(out, "%s: %s\r\n", name, value);
}

/* A header as configured, with the token where it says {token}. */
static bool
append_header(struct buf *out, const char *text, const char *token)
{
    const char *mark;
    bool used = false;

    while (token != NULL && (mark = strstr(text, "{token}")) != NULL) {
        buf_append(out, text, (size_t)(mark - text));
        buf_append_span(out, span_str(token));
        text = mark + strlen("{token}");
        used = true;
    }
    buf_append_span(out, span_str(text));
    BUF_APPEND_LIT(out, "\r\n");
    return used;
}

static void
append_host(struct buf *out, const struct config_http *http)
{
    bool v6 = strchr(http->host, ':') != NULL;

    buf_append_fmt(out, v6 ? "Host: [%s]" : "Host: %s", http->host);
    if (http->port != (http->tls ? 443 : 80))
        buf_append_fmt(out, ":%u", http->port);
    BUF_APPEND_LIT(out, "\r\n");
}

static void
append_headers(struct buf *out, const struct config_http *http)
{
    bool token_used = http->token == NULL;
    size_t i;

    append_host(out, http);
    append_default(out, http, "User-Agent", USER_AGENT);
    append_default(out, http, "Accept", "application/json");
    append_default(out, http, "Accept-Encoding", "identity");
    if (http->body[0] != '\0')
        append_default(out, http, "Content-Type", "application/json");
    for (i = 0; i < http->headers.n; i++)
        token_used = append_header(out, http->headers.v[i], http->token) || token_used;
    if (!token_used)
        append_header(out, "Authorization: Bearer {token}", http->token);
}

/* The last segment of 'before' and the first of 'after' frame the id's own. */
static void
find_segment(struct http_template *t)
{
    const char *from = t->before.p, *end = t->before.p + t->before.n, *p;

    t->in_path = memchr(from, '?', t->before.n) == NULL;
    for (p = end; p > from && p[-1] != '/'; p--)
        ;
    t->segment = span_of(p, (size_t)(end - p));
    for (p = t->after.p; p < t->after.p + t->after.n && *p != '/' && *p != '?'; p++)
        ;
    t->segment_end = span_of(t->after.p, (size_t)(p - t->after.p));
}

bool
http_template_init(struct http_template *t, const struct config_http *http)
{
    const char *text, *mark, *word = http->many ? "{ids}" : "{id}";

    memset(t, 0, sizeof(*t));
    buf_init(&t->headers, 0);
    t->post = http->body[0] != '\0';
    t->many = http->many;
    t->integer = strcmp(http->key_type, "integer") == 0;
    t->target = span_str(http->target);
    text = t->post ? http->body : http->target;
    mark = strstr(text, word);
    t->before = span_of(text, (size_t)(mark - text));
    t->after = span_str(mark + strlen(word));
    if (!t->post)
        find_segment(t);
    append_headers(&t->headers, http);
    return !buf_failed(&t->headers);
}

void
http_template_fini(struct http_template *t)
{
    if (t->headers.data != NULL)
        explicit_bzero(t->headers.data, t->headers.cap);
    buf_fini(&t->headers);
}

bool
http_template_takes(const struct http_template *t, struct span id)
{
    char all[3];
    size_t n = t->segment.n + id.n + t->segment_end.n;

    if (!t->in_path || n > 2)
        return true;
    memcpy(all, t->segment.p, t->segment.n);
    memcpy(all + t->segment.n, id.p, id.n);
    memcpy(all + t->segment.n + id.n, t->segment_end.p, t->segment_end.n);
    return !(memcmp(all, "..", n) == 0);
}

/* --- each time ---------------------------------------------------------------------- */

/* RFC 3986, unreserved. */
static inline bool
is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

static void
append_encoded(struct buf *out, struct span id)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = buf_reserve(out, 3 * id.n);
    size_t i;
    char *p = to;

    if (to == NULL)
        return;
    for (i = 0; i < id.n; i++) {
        unsigned char c = (unsigned char)id.p[i];

        if (is_unreserved(c)) {
            *p++ = (char)c;
            continue;
        }
        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }
    buf_commit(out, (size_t)(p - to));
}

/* Whatever became of the ids: no blank, control character or byte beyond ASCII. */
static bool
target_is_clean(struct span target)
{
    size_t i;

    for (i = 0; i < target.n; i++) {
        if ((unsigned char)target.p[i] <= 0x20 || (unsigned char)target.p[i] >= 0x7f)
            return false;
    }
    return true;
}

static enum http_built
build_get(const struct http_template *t, const struct span *ids, size_t n,
          struct buf *out)
{
    size_t i, from;
    struct span target;

    BUF_APPEND_LIT(out, "GET ");
    from = buf_size(out);
    buf_append_span(out, t->before);
    for (i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        append_encoded(out, ids[i]);
    }
    buf_append_span(out, t->after);
    if (buf_failed(out))
        return HTTP_BUILT_FAILED;
    target = span_of(buf_span(out).p + from, buf_size(out) - from);
    if (target.n > HTTP_TARGET_MAX && n > 1)
        return HTTP_BUILT_TOOLONG;
    if (!target_is_clean(target))
        return HTTP_BUILT_FAILED;
    BUF_APPEND_LIT(out, " HTTP/1.1\r\n");
    buf_append_span(out, buf_span(&t->headers));
    BUF_APPEND_LIT(out, "\r\n");
    return buf_failed(out) ? HTTP_BUILT_FAILED : HTTP_BUILT;
}

static void
append_values(const struct http_template *t, const struct span *ids, size_t n,
              struct buf *out)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        if (t->integer)
            buf_append_span(out, ids[i]);
        else
            json_append_string(out, ids[i]);
    }
}

static enum http_built
build_post(const struct http_template *t, const struct span *ids, size_t n,
           struct buf *out)
{
    struct buf body = BUF_INIT;
    enum http_built built = HTTP_BUILT;

    buf_append_span(&body, t->before);
    append_values(t, ids, n, &body);
    buf_append_span(&body, t->after);
    BUF_APPEND_LIT(out, "POST ");
    buf_append_span(out, t->target);
    BUF_APPEND_LIT(out, " HTTP/1.1\r\n");
    buf_append_span(out, buf_span(&t->headers));
    buf_append_fmt(out, "Content-Length: %zu\r\n\r\n", buf_size(&body));
    buf_append_span(out, buf_span(&body));
    if (buf_failed(&body) || buf_failed(out))
        built = HTTP_BUILT_FAILED;
    buf_fini(&body);
    return built;
}

enum http_built
http_template_build(const struct http_template *t, const struct span *ids, size_t n,
                    struct buf *out)
{
    return t->post ? build_post(t, ids, n, out) : build_get(t, ids, n, out);
}
