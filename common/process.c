/*
 * process.c - what a process says and knows of itself.
 */
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The title is written over argv and what lies behind it: the kernel has no other place
 * that ps reads.  It reads on behind argv only where argv's last byte is no 0. */
static struct {
    char *start;
    char *args; /* where argv ends */
    size_t size;
    char **arguments; /* the copy, which lives as long as the process */
} title;

/* The environment's strings, and the list of them, in memory of their own.  NULL: there is
 * no memory, and all stays where it is. */
static char **
environment_copy(void)
{
    size_t n = 0, bytes = 0, i;
    char **list, *text;

    for (; environ[n] != NULL; n++)
        bytes += strlen(environ[n]) + 1;
    if ((list = malloc((n + 1) * sizeof(*list) + bytes)) == NULL)
        return NULL;
    text = (char *)&list[n + 1];
    for (i = 0; i < n; i++) {
        list[i] = text;
        text = stpcpy(text, environ[i]) + 1;
    }
    list[n] = NULL;
    return list;
}

char **
process_title_init(int argc, char **argv)
{
    char *end = argv[0], **moved;
    int i;

    /* Only what lies one behind the other. */
    for (i = 0; i < argc && argv[i] == end; i++)
        end = argv[i] + strlen(argv[i]) + 1;
    title.start = argv[0];
    title.args = end;
    if (environ != NULL && (moved = environment_copy()) != NULL) {
        for (i = 0; environ[i] != NULL && environ[i] == end; i++)
            end = environ[i] + strlen(environ[i]) + 1;
        environ = moved;
        memset(title.args, 0, (size_t)(end - title.args));
    }
    title.size = (size_t)(end - argv[0]);
    title.arguments = calloc((size_t)argc + 1, sizeof(char *));
    for (i = 0; title.arguments != NULL && i < argc; i++) {
        if ((title.arguments[i] = strdup(argv[i])) == NULL)
            return NULL;
    }
    return title.arguments;
}

const char *
process_program(void)
{
    static char path[PATH_MAX];
    const char *as = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char here[PATH_MAX];
    ssize_t n;

    if (as != NULL && as[0] == '/' && strncmp(as, "/dev/fd/", 8) != 0) {
        snprintf(path, sizeof(path), "%s", as);
    } else if (as != NULL && as[0] != '/' && getcwd(here, sizeof(here)) != NULL) {
        if (snprintf(path, sizeof(path), "%s/%s", here, as) >= (int)sizeof(path))
            return NULL;
    } else {
        if ((n = readlink("/proc/self/exe", path, sizeof(path) - 1)) == -1)
            return NULL;
        path[n] = '\0';
    }
    return path;
}

void
process_title(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    size_t n;

    if (title.size < 2)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    n = strlen(text);
    if (n > title.size - 1)
        n = title.size - 1;
    memcpy(title.start, text, n);
    memset(title.start + n, 0, title.size - n);
}

void
process_own_descriptors(int first)
{
    int fd;

    close_range((unsigned)first, ~0U, 0);
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void
process_raise_nofile(void)
{
    struct rlimit nofile;

    if (getrlimit(RLIMIT_NOFILE, &nofile) == 0 && nofile.rlim_cur < nofile.rlim_max) {
        nofile.rlim_cur = nofile.rlim_max;
        setrlimit(RLIMIT_NOFILE, &nofile);
    }
}

/* A service manager may have left some to a process that is not root (for a low port,
 * say).  A sandbox may forbid the attempt; what counts is that none is left. */
static int
drop_capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0 } }, left[2];

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    syscall(SYS_capset, &header, none);
    if (syscall(SYS_capget, &header, left) == -1)
        return -1;
    if ((left[0].effective | left[0].permitted | left[1].effective | left[1].permitted) ==
        0)
        return 0;
    errno = EPERM;
    return -1;
}

static int
change_identity(const struct process_identity *who, const char **what)
{
    *what = "initgroups";
    if (initgroups(who->name, who->gid) == -1)
        return -1;
    *what = "setresgid";
    if (setresgid(who->gid, who->gid, who->gid) == -1)
        return -1;
    *what = "setresuid";
    if (setresuid(who->uid, who->uid, who->uid) == -1)
        return -1;
    *what = "giving up root";
    if (who->uid != 0 && setuid(0) != -1) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int
process_become(const struct process_identity *who, const char **what)
{
    if (who->change && change_identity(who, what) == -1)
        return -1;
    *what = "giving up capabilities";
    return geteuid() == 0 ? 0 : drop_capabilities();
}
