/*
 * http_tls.h - TLS towards an HTTP API.
 *
 * Owns: everything that OpenSSL must be told and is not told by default: that the
 * certificate is checked, and against which name; SNI; no TLS before 1.2.
 * Never knows: HTTP, events.
 */
#ifndef SERVER_SOURCE_HTTP_TLS_H
#define SERVER_SOURCE_HTTP_TLS_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_tls;         /* of a source */
struct http_tls_session; /* of a connection */

/* 'host' is the name to expect (or the address, without SNI then), borrowed; 'ca_file'
 * may be "".  NULL: 'error' says why. */
struct http_tls *http_tls_new(const char *host, const char *ca_file, bool verify,
                              struct buf *error) MUST_CHECK;
void http_tls_free(struct http_tls **tls);

/* For a connected, non-blocking socket.  NULL: no memory. */
struct http_tls_session *http_tls_open(struct http_tls *tls, int fd) MUST_CHECK;

/* Without a farewell: the socket is closed next. */
void http_tls_close(struct http_tls_session **session);

enum http_tls_step {
    TLS_OK,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_END,   /* the peer said goodbye */
    TLS_FAILED /* see http_tls_why */
};

enum http_tls_step http_tls_handshake(struct http_tls_session *s) MUST_CHECK;
enum http_tls_step http_tls_read(struct http_tls_session *s, char *to, size_t room,
                                 size_t *n) MUST_CHECK;
enum http_tls_step http_tls_write(struct http_tls_session *s, struct span bytes,
                                  size_t *n) MUST_CHECK;

/* Are there bytes that no event will tell of? */
bool http_tls_pending(const struct http_tls_session *s);

/* Of the last failure, for a log. */
const char *http_tls_why(const struct http_tls_session *s);

#endif
