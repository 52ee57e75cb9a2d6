/*
 * slurp.c - a whole small file in memory.
 *
 * Pipes are welcome ("fetchd -T | fetchd -t -c /dev/stdin"), so the size is what
 * was read, not what stat says.
 */
#include "server/config/slurp.h"

#include "common/net.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 4096

/* 0, or -1 with errno. */
static int
read_all(int fd, struct buf *text)
{
    ssize_t got;
    char *to;

    do {
        if (buf_size(text) > SLURP_MAX_BYTES) {
            errno = EFBIG;
            return -1;
        }
        if ((to = buf_reserve(text, CHUNK)) == NULL) {
            errno = ENOMEM;
            return -1;
        }
        while ((got = read(fd, to, CHUNK)) == -1 && errno == EINTR)
            continue;
        if (got > 0)
            buf_commit(text, (size_t)got);
    } while (got > 0);
    return (int)got;
}

bool
slurp(const char *path, struct buf *text, mode_t *mode, struct buf *error)
{
    struct stat st;
    int fd, rc = -1;

    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) != -1) {
        if (fstat(fd, &st) == 0)
            rc = read_all(fd, text);
        net_close_keep_errno(fd);
    }
    if (rc == -1) {
        buf_clear(error);
        buf_append_fmt(error, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    *mode = st.st_mode;
    buf_append_char(text, '\0');
    if (buf_failed(text)) {
        buf_clear(error);
        BUF_APPEND_LIT(error, "out of memory");
        return false;
    }
    text->len--;
    return true;
}

void
slurp_fini(struct buf *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->cap);
    buf_fini(text);
}
