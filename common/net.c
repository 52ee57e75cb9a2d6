/*
 * net.c - addresses and sockets.
 *
 * Everything here is called at start-up or once a connection; nothing here keeps
 * state.  Only net_resolve may block.
 */
#include "common/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Keepalive and the bound on unacknowledged data: a client that vanished without a
 * word is noticed after 60 + 3 * 10 seconds when idle, 30 when it was being sent to. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3
#define UNACKED_TIMEOUT_MS 30000

/* Where a TCP header has SYN and its neighbours. */
#define TCP_FLAGS_AT 13

#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool
parse_unix(const char *path, struct net_addr *out, const char **why)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->ss;
    size_t n = strlen(path);

    if (path[0] != '/') {
        *why = "an absolute path after \"unix:\"";
        return false;
    }
    if (n > UNIX_PATH_MAX) {
        *why = "a socket path of at most 107 bytes";
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n + 1);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return true;
}

static bool
parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;
    size_t i;

    for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 5; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (i == 0 || text[i] != '\0' || value > 65535)
        return false;
    *port = htons((in_port_t)value);
    return true;
}

static bool
parse_ipv6(const char *host, in_port_t port, struct net_addr *out)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->ss;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;
    out->len = sizeof(*in6);
    return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
}

static bool
parse_ipv4(const char *host, in_port_t port, struct net_addr *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&out->ss;

    in->sin_family = AF_INET;
    in->sin_port = port;
    out->len = sizeof(*in);
    if (host[0] == '\0' || strcmp(host, "*") == 0) {
        in->sin_addr.s_addr = htonl(INADDR_ANY);
        return true;
    }
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

bool
net_addr_parse(const char *text, struct net_addr *out, const char **why)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    in_port_t port;
    size_t n;

    memset(out, 0, sizeof(*out));
    if (text[0] == '/')
        return parse_unix(text, out, why);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, why);
    *why = "a numeric address and port such as \"127.0.0.1:7070\", \"[::1]:7070\" or "
           "\":7070\", or \"unix:/path\"";
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return false;
    if (!parse_port(colon + 1, &port)) {
        *why = "a port from 0 to 65535 after the last colon";
        return false;
    }
    n = (size_t)(colon - text);
    memcpy(host, text, n);
    host[n] = '\0';
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        return parse_ipv6(host + 1, port, out);
    }
    return parse_ipv4(host, port, out);
}

const char *
net_addr_format(const struct net_addr *a, char *out)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;
    const struct sockaddr_un *un = (const struct sockaddr_un *)&a->ss;
    char host[INET6_ADDRSTRLEN];

    switch (a->ss.ss_family) {
    case AF_INET:
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, NET_ADDR_TEXT, "%s:%u", host, ntohs(in->sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, NET_ADDR_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
        break;
    case AF_UNIX:
        /* The peer of an accepted unix connection has no name. */
        if (a->len <= offsetof(struct sockaddr_un, sun_path))
            snprintf(out, NET_ADDR_TEXT, "unix:");
        else
            snprintf(out, NET_ADDR_TEXT, "unix:%.*s", (int)UNIX_PATH_MAX, un->sun_path);
        break;
    default:
        snprintf(out, NET_ADDR_TEXT, "unknown");
        break;
    }
    return out;
}

bool
net_addr_is_local(const struct net_addr *a)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;

    switch (a->ss.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            return in6->sin6_addr.s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    default:
        return false;
    }
}

int
net_resolve(const char *host, uint16_t port, struct net_addr *out, size_t max,
            const char **why)
{
    struct addrinfo hints, *list, *ai;
    char service[8];
    size_t n = 0;
    int rc;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    snprintf(service, sizeof(service), "%u", port);
    if ((rc = getaddrinfo(host, service, &hints, &list)) != 0) {
        *why = rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc);
        return -1;
    }
    for (ai = list; ai != NULL && n < max; ai = ai->ai_next) {
        if (ai->ai_addrlen > sizeof(out[n].ss))
            continue;
        memset(&out[n], 0, sizeof(out[n]));
        memcpy(&out[n].ss, ai->ai_addr, ai->ai_addrlen);
        out[n].len = ai->ai_addrlen;
        n++;
    }
    freeaddrinfo(list);
    return (int)n;
}

/* Makes way for a unix socket: 0 when the path is free (now), -1 with errno. */
static int
clear_stale_socket(const struct sockaddr_un *un, socklen_t len)
{
    struct stat st;
    int fd, rc;

    if (lstat(un->sun_path, &st) == -1)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
        return -1;
    rc = connect(fd, (const struct sockaddr *)un, len);
    net_close_keep_errno(fd);
    if (rc == -1 && errno == ECONNREFUSED)
        return unlink(un->sun_path) == -1 && errno != ENOENT ? -1 : 0;
    if (rc == -1 && errno == ENOENT)
        return 0;
    /* Answered, or its backlog is full (EAGAIN), or another kind of socket
     * (EPROTOTYPE): in every case it is somebody's. */
    if (rc == 0 || errno != EACCES)
        errno = EADDRINUSE;
    return -1;
}

static int
prepare_socket(int fd, const struct net_addr *a)
{
    int one = 1;

    if (a->ss.ss_family == AF_UNIX) {
        /* bind(2) gives the file the socket's mode minus the umask; the default
         * 0777 would say "executable".  fchmod before bind leaves no moment with
         * another mode. */
        if (fchmod(fd, 0666) == -1)
            return -1;
        return clear_stale_socket((const struct sockaddr_un *)&a->ss, a->len);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1)
        return -1;
    /* "[::]:70" and ":70" may stand side by side. */
    if (a->ss.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == -1)
        return -1;
    return 0;
}

int
net_listen(const struct net_addr *a, int backlog)
{
    int fd;

    fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return -1;
    if (prepare_socket(fd, a) == -1 ||
        bind(fd, (const struct sockaddr *)&a->ss, a->len) == -1 ||
        listen(fd, backlog) == -1) {
        net_close_keep_errno(fd);
        return -1;
    }
    return fd;
}

void
net_admit_no_more(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),          /* drop */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* keep all of it */
    };
    const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void
net_tune_client(int fd)
{
    const int one = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S;
    const int probes = KEEPALIVE_PROBES, unacked = UNACKED_TIMEOUT_MS;
    int saved = errno;

    /* The first refusal says that this is no TCP socket, and saves four calls. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
    }
    errno = saved;
}

void
net_close_keep_errno(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
}
