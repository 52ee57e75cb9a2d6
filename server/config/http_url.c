/*
 * http_url.c - http://host:port/path/{id}?query, and the headers sent with it.
 *
 *     scheme  authority      target
 *     http:// 127.0.0.1:8080 /items/{id}?lang=en
 *
 * Host, port and scheme are the configuration's alone: no placeholder is allowed before
 * the target, so no id decides who is asked.
 */
#include "server/config/http_url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ONE "{id}"
#define MANY "{ids}"

/* RFC 9110, token. */
#define TOKEN_CHARS                                                  \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
    "!#$%&'*+-.^_`|~"

/* What the framing of a request hangs on is ours to say. */
static const char *const framing_headers[] = {
    "host", "content-length", "transfer-encoding", "connection", "keep-alive",
    "te",   "trailer",        "upgrade",           "expect",     "proxy-connection",
};

static bool refuse(struct buf *why, const char *text) MUST_CHECK;

static bool
refuse(struct buf *why, const char *text)
{
    buf_append_fmt(why, "expected %s", text);
    return false;
}

unsigned
text_count(const char *text, const char *word)
{
    unsigned n = 0;

    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        n++;
    }
    return n;
}

static bool
set(char **to, const char *from, size_t n)
{
    free(*to);
    return (*to = strndup(from, n)) != NULL;
}

static bool
split_port(struct config_http *http, const char *digits, const char *end, struct buf *why)
{
    unsigned port = 0;

    for (; digits < end && *digits >= '0' && *digits <= '9' && port <= 65535; digits++)
        port = port * 10 + (unsigned)(*digits - '0');
    if (digits != end || port == 0 || port > 65535)
        return refuse(why, "a port from 1 to 65535 after the host");
    http->port = port;
    return true;
}

/* "host", "host:port", "[v6]:port" between 'p' and 'end'. */
static bool
split_authority(struct config_http *http, const char *p, const char *end, struct buf *why)
{
    const char *host = p, *host_end = end, *i;
    bool bracket = p < end && *p == '[';

    if (memchr(p, '@', (size_t)(end - p)) != NULL)
        return refuse(why, "no user or password before the host; see headers and "
                           "token_file");
    if (bracket) {
        host = p + 1;
        if ((host_end = memchr(host, ']', (size_t)(end - host))) == NULL)
            return refuse(why, "an IPv6 address in brackets, such as [::1]");
        p = host_end + 1;
    } else {
        if ((p = memchr(host, ':', (size_t)(end - host))) == NULL)
            p = end;
        host_end = p;
    }
    for (i = host; i < host_end; i++) {
        const char *allowed = bracket ? ":.0123456789abcdefABCDEF"
                                      : "abcdefghijklmnopqrstuvwxyz"
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

        if (strchr(allowed, *i) == NULL)
            return refuse(why, "a host name or an address after the scheme");
    }
    if (host == host_end || host_end - host > 253)
        return refuse(why, "a host name or an address after the scheme");
    if (p < end && (*p != ':' || !split_port(http, p + 1, end, why)))
        return *p == ':' ? false : refuse(why, "a port or a path after the host");
    return set(&http->host, host, (size_t)(host_end - host));
}

static bool
split_target(struct config_http *http, const char *p, struct buf *why)
{
    const char *i;

    for (i = p; *i != '\0'; i++) {
        if (*i <= 0x20 || *i >= 0x7f || strchr("\"<>\\^`|", *i) != NULL)
            return refuse(why, "visible ASCII in the url, other bytes as %XX");
        if (*i == '#')
            return refuse(why, "no fragment (#) in the url");
    }
    if (*p == '\0')
        return set(&http->target, "/", 1);
    if (*p == '/')
        return set(&http->target, p, strlen(p));
    /* http://host?query */
    free(http->target);
    if ((http->target = malloc(strlen(p) + 2)) == NULL)
        return false;
    http->target[0] = '/';
    strcpy(http->target + 1, p);
    return true;
}

static bool
find_placeholder(struct config_http *http, const char **option, struct buf *why)
{
    unsigned one = text_count(http->target, ONE), many = text_count(http->target, MANY);
    unsigned in_body = text_count(http->body, ONE) + text_count(http->body, MANY);

    if (http->body[0] != '\0' && strlen(http->body) > HTTP_URL_MAX) {
        *option = "body";
        return refuse(why, "at most 2048 bytes");
    }
    if (http->body[0] != '\0' && in_body != 1) {
        *option = "body";
        return refuse(why, "{id} or {ids} in the body, once");
    }
    if (text_count(http->target, "{") != one + many ||
        text_count(http->target, "}") != one + many)
        return refuse(why, "no braces in the url but those of {id} or {ids}");
    if (http->body[0] != '\0' && one + many != 0)
        return refuse(why, "no placeholder in the url, as the body has it");
    if (http->body[0] == '\0' && one + many != 1)
        return refuse(why, "{id} or {ids} in the path or query, once");
    http->many = many + text_count(http->body, MANY) == 1;
    return true;
}

bool
http_url_split(struct config_http *http, const char **option, struct buf *why)
{
    const char *p = http->url, *end;

    *option = "url";
    if (strlen(p) > HTTP_URL_MAX)
        return refuse(why, "at most 2048 bytes");
    if (strncasecmp(p, "http://", 7) != 0 && strncasecmp(p, "https://", 8) != 0)
        return refuse(why, "http:// or https:// and a host, such as "
                           "http://127.0.0.1:8080/items/{id}");
    p = strstr(p, "://") + 3;
    http->tls = p - http->url == 8;
    http->port = http->tls ? 443 : 80;
    end = p + strcspn(p, "/?#");
    return split_authority(http, p, end, why) && split_target(http, end, why) &&
           find_placeholder(http, option, why);
}

bool
header_valid(const char *text)
{
    size_t name = strspn(text, TOKEN_CHARS), i;

    if (name == 0 || text[name] != ':' || strlen(text) > 4096)
        return false;
    for (i = 0; i < ARRAY_LEN(framing_headers); i++) {
        if (strlen(framing_headers[i]) == name &&
            strncasecmp(framing_headers[i], text, name) == 0)
            return false;
    }
    for (i = name + 1; text[i] != '\0'; i++) {
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return false;
    }
    return true;
}
