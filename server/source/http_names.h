/*
 * http_names.h - the addresses of a host name, without ever waiting for them.
 *
 * Owns: looking a name up again and again, in a helper thread that lives as long as one
 * look; numeric hosts need none.  Why a thread and getaddrinfo: it is what every other
 * program on the machine uses (hosts file, nsswitch, search domains), and it keeps the
 * parsing of DNS packets, where evdns had its holes, out of our code.  The thread touches
 * nothing but its own question.
 */
#ifndef SERVER_SOURCE_HTTP_NAMES_H
#define SERVER_SOURCE_HTTP_NAMES_H

#include "common/clock.h"
#include "common/compiler.h"
#include "common/net.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_ADDRS_MAX 8

struct event_base;
struct http_names;

/* Begins at once; 'host' is borrowed.  'changed' is called from the loop when there are
 * other addresses than before, and after each failure while there are none.
 * NULL: no memory or descriptors. */
struct http_names *http_names_new(struct event_base *base, const char *host,
                                  unsigned port, usec_t refresh,
                                  void (*changed)(void *arg), void *arg) MUST_CHECK;
void http_names_free(struct http_names **names);

/* How many there are; 0: not known (yet). */
size_t http_names_count(const struct http_names *n);

/* Where to begin, and the address there; any 'i' will do while there is one at all. */
size_t http_names_first(const struct http_names *n);
const struct net_addr *http_names_at(const struct http_names *n, size_t i);

/* This one does not answer: nobody else shall begin with it. */
void http_names_failed(struct http_names *n, const struct net_addr *addr);

bool http_names_know(const struct http_names *n, const struct net_addr *addr);

/* Why there are none: the resolver's word, NULL while it is still looking. */
const char *http_names_trouble(const struct http_names *n);

#endif
