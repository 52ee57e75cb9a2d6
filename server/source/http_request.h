/*
 * http_request.h - ids become the bytes of a request.
 *
 * Owns: the one place where a client's bytes are written into a request.  Promise: in a
 * target an id is percent-encoded into one segment or value, in a body it is one JSON
 * value; it adds no segment, parameter, header, line or request, whatever its bytes.
 * Pure: built once from the configuration, then only appends to buffers.
 */
#ifndef SERVER_SOURCE_HTTP_REQUEST_H
#define SERVER_SOURCE_HTTP_REQUEST_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest target that is sent; servers refuse more than about 8,000 bytes. */
#define HTTP_TARGET_MAX 7500

struct http_template {
    bool post;
    bool integer;       /* ids are digits */
    bool many;          /* several ids a request */
    bool in_path;       /* a segment holds the id: no dots alone */
    struct span before; /* of the placeholder, in target or body */
    struct span after;
    struct span target;  /* POST: as it is */
    struct buf headers;  /* "Host: ...\r\n...\r\n", all but Content-Length */
    struct span segment; /* of 'before' and 'after', what shares the id's segment */
    struct span segment_end;
};

/* 'http' is borrowed and outlives the template.  false: no memory. */
bool http_template_init(struct http_template *t, const struct config_http *http)
    MUST_CHECK;
void http_template_fini(struct http_template *t);

/* Would this id, which is as long as ids may be, be a value of its own?  "." and ".." as a
 * whole segment would not: servers take them for steps up the path, encoded or not. */
bool http_template_takes(const struct http_template *t, struct span id);

enum http_built {
    HTTP_BUILT,
    HTTP_BUILT_TOOLONG, /* fewer ids would do */
    HTTP_BUILT_FAILED,  /* no memory, or a byte that must not be sent (never, they say) */
};

/* Appends one request for 'n' ids (1 unless the template takes many) to 'out', empty
 * before. */
enum http_built http_template_build(const struct http_template *t, const struct span *ids,
                                    size_t n, struct buf *out) MUST_CHECK;

#endif
