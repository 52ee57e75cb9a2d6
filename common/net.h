/*
 * net.h - addresses and sockets, knowing nothing of who talks over them.
 *
 * Owns: the text form of addresses and the options every stream socket gets.
 */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include "common/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_addr {
    struct sockaddr_storage ss;
    socklen_t len;
};

#define NET_ADDR_TEXT 160

/* Parses "1.2.3.4:70", "[::1]:70", ":70" and "*:70" (every IPv4 address),
 * "unix:/path" and "/path".  Numeric only: never asks a resolver.  Port 0 lets the
 * kernel choose.  false: not such an address; 'why' then says what was expected. */
bool net_addr_parse(const char *text, struct net_addr *out, const char **why) MUST_CHECK;

/* The text form of an address into 'out' (NET_ADDR_TEXT bytes); returns 'out'. */
const char *net_addr_format(const struct net_addr *a, char *out);

/* Unix socket, or an address of this machine's loopback network? */
bool net_addr_is_local(const struct net_addr *a);

/* Resolves a host name or literal, blocking; at most 'max' stream addresses.
 * Returns how many, or -1 with 'why' set to the resolver's text.  Start-up only. */
int net_resolve(const char *host, uint16_t port, struct net_addr *out, size_t max,
                const char **why) MUST_CHECK;

/* A listening, non-blocking, close-on-exec stream socket.  A stale unix socket file
 * (nobody answers on it) is replaced; the file gets mode 0666 minus the umask.
 * -1 with errno: EADDRINUSE when somebody answers there. */
int net_listen(const struct net_addr *a, int backlog) MUST_CHECK;

/* From now on, and for every process that shares this listening TCP socket, the kernel
 * drops first packets of newcomers; who began before still arrives in the accept queue.
 * For sockets that are about to be closed.  Where the kernel cannot, nothing changes. */
void net_admit_no_more(int fd);

/* TCP_NODELAY, keepalive 60/10/3 s and TCP_USER_TIMEOUT 30 s; nothing on unix
 * sockets.  Failures are harmless and ignored. */
void net_tune_client(int fd);

/* close(2) that keeps errno. */
void net_close_keep_errno(int fd);

#endif
