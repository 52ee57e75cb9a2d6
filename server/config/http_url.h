/*
 * http_url.h - http://host:port/path/{id}?query, and the headers sent with it.
 *
 * Owns: what an url and a header of the configuration must look like, so that whoever
 * writes a request from them need not look again: a target of visible ASCII that begins
 * with a slash, header lines without control characters.
 */
#ifndef SERVER_CONFIG_HTTP_URL_H
#define SERVER_CONFIG_HTTP_URL_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/config.h"

#include <stdbool.h>

/* Longest url and longest body template. */
#define HTTP_URL_MAX 2048

/* Takes 'http->url' apart into tls, host, port and target, and finds the placeholder
 * ({id} or {ids}, once, in target or body).  false: 'why' says what was expected;
 * 'option' then names the option at fault, "url" or "body". */
bool http_url_split(struct config_http *http, const char **option, struct buf *why)
    MUST_CHECK;

/* "Name: value", a name that is a token and none that the framing of a request hangs
 * on (Host, Content-Length, ...), a value of printable bytes? */
bool header_valid(const char *text) MUST_CHECK;

/* How often 'word' stands in 'text'. */
unsigned text_count(const char *text, const char *word);

#endif
