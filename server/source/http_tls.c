/*
 * http_tls.c - TLS towards an HTTP API.
 *
 * The socket is OpenSSL's to read and write (non-blocking), the events are http_conn's.
 * bufferevent_openssl would do the same with two more layers of buffers; what must be set
 * by hand (verification, names, SNI) is the same either way.
 */
#include "server/source/http_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http_tls {
    SSL_CTX *ctx;
    const char *host;
    bool is_address;
    bool verify;
    SSL_SESSION *last; /* to resume with; NULL: none */
};

struct http_tls_session {
    SSL *ssl;
    char why[160];
};

static bool
refuse(struct buf *error, const char *what)
{
    char text[120] = "";
    unsigned long code = ERR_get_error();

    if (code != 0)
        ERR_error_string_n(code, text, sizeof(text));
    buf_clear(error);
    buf_append_fmt(error, "%s%s%s", what, code == 0 ? "" : ": ", text);
    ERR_clear_error();
    return false;
}

/* Keeps the newest ticket: a handshake with it costs a fraction. */
static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct http_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    SSL_SESSION_free(t->last);
    t->last = session;
    return 1; /* it is ours now */
}

static bool
trust(struct http_tls *t, const char *ca_file, struct buf *error)
{
    if (!t->verify) {
        SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
        return true;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    if (ca_file[0] == '\0')
        return SSL_CTX_set_default_verify_paths(t->ctx) == 1 ||
               refuse(error, "the system's certificate authorities cannot be read");
    return SSL_CTX_load_verify_locations(t->ctx, ca_file, NULL) == 1 ||
           refuse(error, "ca_file cannot be read");
}

struct http_tls *
http_tls_new(const char *host, const char *ca_file, bool verify, struct buf *error)
{
    struct http_tls *t = calloc(1, sizeof(*t));

    ERR_clear_error();
    if (t == NULL || (t->ctx = SSL_CTX_new(TLS_client_method())) == NULL) {
        (void)refuse(error, "no memory for TLS");
        free(t);
        return NULL;
    }
    t->host = host;
    t->is_address =
        strchr(host, ':') != NULL || host[strspn(host, "0123456789.")] == '\0';
    t->verify = verify;
    SSL_CTX_set_app_data(t->ctx, t);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(t->ctx,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, on_new_session);
    if (SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
        !trust(t, ca_file, error)) {
        http_tls_free(&t);
        return NULL;
    }
    return t;
}

void
http_tls_free(struct http_tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_SESSION_free((*tls)->last);
    SSL_CTX_free((*tls)->ctx);
    free(*tls);
    *tls = NULL;
}

static bool
expect_host(const struct http_tls *t, SSL *ssl)
{
    if (!t->is_address && SSL_set_tlsext_host_name(ssl, t->host) != 1)
        return false;
    if (!t->verify)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return t->is_address
               ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), t->host) == 1
               : SSL_set1_host(ssl, t->host) == 1;
}

struct http_tls_session *
http_tls_open(struct http_tls *tls, int fd)
{
    struct http_tls_session *s = calloc(1, sizeof(*s));

    ERR_clear_error();
    if (s == NULL)
        return NULL;
    if ((s->ssl = SSL_new(tls->ctx)) == NULL || SSL_set_fd(s->ssl, fd) != 1 ||
        !expect_host(tls, s->ssl)) {
        http_tls_close(&s);
        return NULL;
    }
    if (tls->last != NULL)
        SSL_set_session(s->ssl, tls->last);
    SSL_set_connect_state(s->ssl);
    return s;
}

void
http_tls_close(struct http_tls_session **session)
{
    if (*session == NULL)
        return;
    /* Left without a farewell, OpenSSL would call the session unfit to be resumed. */
    if ((*session)->ssl != NULL)
        SSL_set_shutdown((*session)->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free((*session)->ssl);
    free(*session);
    *session = NULL;
    ERR_clear_error();
}

static void
explain(struct http_tls_session *s)
{
    long verdict = SSL_get_verify_result(s->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    if (verdict != X509_V_OK)
        snprintf(s->why, sizeof(s->why), "certificate: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(s->why, sizeof(s->why), "TLS: %s",
                 reason == NULL ? "connection lost" : reason);
    ERR_clear_error();
}

static enum http_tls_step
step_of(struct http_tls_session *s, int rc)
{
    switch (SSL_get_error(s->ssl, rc)) {
    case SSL_ERROR_NONE:
        return TLS_OK;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_END;
    default:
        explain(s);
        return TLS_FAILED;
    }
}

enum http_tls_step
http_tls_handshake(struct http_tls_session *s)
{
    ERR_clear_error();
    return step_of(s, SSL_do_handshake(s->ssl));
}

enum http_tls_step
http_tls_read(struct http_tls_session *s, char *to, size_t room, size_t *n)
{
    ERR_clear_error();
    return step_of(s, SSL_read_ex(s->ssl, to, room, n));
}

enum http_tls_step
http_tls_write(struct http_tls_session *s, struct span bytes, size_t *n)
{
    ERR_clear_error();
    return step_of(s, SSL_write_ex(s->ssl, bytes.p, bytes.n, n));
}

bool
http_tls_pending(const struct http_tls_session *s)
{
    return SSL_pending(s->ssl) > 0;
}

const char *
http_tls_why(const struct http_tls_session *s)
{
    return s->why;
}
