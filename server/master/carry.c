/*
 * carry.c - what a master takes along into the program that replaces it.
 *
 *     fetchd 1                    the format
 *     pid 4711                    whose it is
 *     control 1                   what its workers understand
 *     board 5                     descriptors by number
 *     cache 9                     several such lines
 *     listen 6 127.0.0.1:7070
 *     child 2 0 3 2 4712 8 ...    slot, place, generation, state, pid, control ...
 *
 * A line of a kind that is not known is an error: whoever writes other lines has another
 * CARRY_FORMAT.
 */
#include "server/master/carry.h"

#include "common/log.h"
#include "server/master/identity.h"
#include "server/master/state.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "FETCHD_CARRIED"
#define BYTES_MAX ((off_t)1 << 20)

/* --- finding --------------------------------------------------------------------------- */

static bool
is_ours(int fd)
{
    char text[64] = "", expected[64];
    int n = snprintf(expected, sizeof(expected), "fetchd %d\npid %d\n", CARRY_FORMAT,
                     (int)getpid());

    return fcntl(fd, F_GET_SEALS) != -1 &&
           pread(fd, text, sizeof(text) - 1, 0) >= (ssize_t)n &&
           strncmp(text, expected, (size_t)n) == 0;
}

int
carry_find(void)
{
    const char *value = getenv(VARIABLE);
    int fd = value == NULL ? -1 : atoi(value);

    unsetenv(VARIABLE);
    return fd > STDERR_FILENO && is_ours(fd) ? fd : -1;
}

/* --- writing ------------------------------------------------------------------------------ */

static void
keep_fd(int fd, bool keep)
{
    fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

static void
write_children(const struct master *m, bool keep, struct buf *out)
{
    const struct supervisor *s = &m->supervisor;
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        const struct supervisor_slot *sl = &s->slots[i];

        if (sl->state == CHILD_NONE)
            continue;
        if (m->controls[i] != -1)
            keep_fd(m->controls[i], keep);
        buf_append_fmt(out, "child %zu %zu %u %d %d %d %" PRIu64 " %" PRIu64 " %d\n", i,
                       sl->place, sl->generation, (int)sl->state, (int)sl->pid,
                       m->controls[i], sl->since, sl->until, m->foreign[i]);
    }
    for (i = 0; i < s->nplaces; i++)
        buf_append_fmt(out, "place %zu %" PRIu64 " %u %u\n", i, s->places[i].due,
                       s->places[i].early_deaths, s->places[i].restarts);
}

static void
write_cache(const struct master *m, bool keep, struct buf *out)
{
    int fds[CACHE_FDS_MAX];
    size_t i, n = m->cache == NULL ? 0 : cache_fds(m->cache, fds);

    for (i = 0; i < n; i++) {
        keep_fd(fds[i], keep);
        buf_append_fmt(out, "cache %d\n", fds[i]);
    }
}

static void
write_state(struct master *m, bool keep, struct buf *out)
{
    size_t i;

    buf_append_fmt(out, "fetchd %d\npid %d\ncontrol %d\n", CARRY_FORMAT, (int)getpid(),
                   WORKER_CONTROL);
    buf_append_fmt(out, "user %s\npid_file %s\n", m->user, m->pid_file);
    keep_fd(scoreboard_fd(m->board), keep);
    buf_append_fmt(out, "board %d\nserial %u\ngeneration %u %u\n",
                   scoreboard_fd(m->board), m->serial, m->now.number, m->last_generation);
    for (i = 0; i < m->listeners.n; i++) {
        keep_fd(m->listeners.list[i].fd, keep);
        buf_append_fmt(out, "%s %d %s\n", m->listeners.given ? "given" : "listen",
                       m->listeners.list[i].fd, m->listeners.list[i].text);
    }
    write_cache(m, keep, out);
    write_children(m, keep, out);
    for (i = 0; i < WISH_NWISHES; i++) {
        const struct outcome *o = &m->outcomes.of[i];

        buf_append_fmt(out, "wish %zu %u %u %u %d\n", i, o->asked, o->begun, o->settled,
                       (int)o->verdict);
    }
    BUF_APPEND_LIT(out, "house ");
    house_save(&m->house, keep, out);
    buf_append_char(out, '\n');
}

int
carry_save(struct master *m)
{
    int fd = memfd_create("fetchd-carried", MFD_ALLOW_SEALING);
    struct buf text = BUF_INIT;
    char number[16];
    ssize_t n = -1;

    write_state(m, true, &text);
    if (fd != -1 && !buf_failed(&text))
        n = write(fd, buf_span(&text).p, buf_size(&text));
    snprintf(number, sizeof(number), "%d", fd);
    if (n != (ssize_t)buf_size(&text) || setenv(VARIABLE, number, 1) == -1) {
        n = errno;
        carry_undo(m, fd);
        fd = -1;
        errno = (int)n;
    }
    buf_fini(&text);
    return fd;
}

void
carry_undo(struct master *m, int fd)
{
    struct buf text = BUF_INIT;

    write_state(m, false, &text);
    buf_fini(&text);
    unsetenv(VARIABLE);
    if (fd != -1)
        close(fd);
}

/* --- reading ------------------------------------------------------------------------------- */

static bool
read_child(struct master *m, const char *rest)
{
    struct supervisor_slot sl = { .state = CHILD_NONE };
    int state, pid, control, foreign;
    size_t slot;

    if (sscanf(rest, "%zu %zu %u %d %d %d %" SCNu64 " %" SCNu64 " %d", &slot, &sl.place,
               &sl.generation, &state, &pid, &control, &sl.since, &sl.until,
               &foreign) != 9 ||
        slot >= m->supervisor.nslots || sl.place >= SUPERVISOR_PLACES ||
        state <= CHILD_NONE || state > CHILD_RETIRING || pid <= 1)
        return false;
    sl.state = (enum child_state)state;
    sl.pid = pid;
    m->supervisor.slots[slot] = sl;
    m->controls[slot] = control;
    m->adopted[slot] = true;
    m->foreign[slot] = foreign || m->blind || m->carried_control != WORKER_CONTROL;
    keep_fd(control, false);
    return true;
}

static bool
read_place(struct master *m, const char *rest)
{
    struct supervisor_place p = { 0 };
    size_t i;

    if (sscanf(rest, "%zu %" SCNu64 " %u %u", &i, &p.due, &p.early_deaths, &p.restarts) !=
            4 ||
        i >= SUPERVISOR_PLACES)
        return false;
    m->supervisor.places[i] = p;
    return true;
}

static bool
read_wish(struct master *m, const char *rest)
{
    struct outcome o = { 0 };
    unsigned verdict;
    size_t i;

    if (sscanf(rest, "%zu %u %u %u %u", &i, &o.asked, &o.begun, &o.settled, &verdict) !=
            5 ||
        i >= WISH_NWISHES || verdict > OUTCOME_ROLLED_BACK)
        return false;
    o.verdict = (enum outcome_verdict)verdict;
    m->outcomes.of[i] = o;
    return true;
}

static bool
read_listener(struct master *m, bool given, const char *rest)
{
    int fd, n;

    if (sscanf(rest, "%d %n", &fd, &n) != 1)
        return false;
    keep_fd(fd, false);
    m->listeners.given = given;
    return listeners_adopt(&m->listeners, rest + n, fd) == 0;
}

static bool
read_board(struct master *m, const char *rest)
{
    int fd = atoi(rest);

    m->board = scoreboard_adopt(fd, SCOREBOARD_CAPACITY);
    if (m->board != NULL) {
        keep_fd(fd, false);
        return true;
    }
    /* Another version counts other things: the figures begin anew, and the hearts of its
     * workers cannot be seen. */
    log_warn("upgrade: the scoreboard is another program's; counters begin at 0");
    close(fd);
    m->blind = true;
    return (m->board = scoreboard_new(SCOREBOARD_CAPACITY)) != NULL;
}

static bool
read_cache(struct master *m, const char *rest)
{
    struct region_fds *c = &m->carried_cache;

    if (c->n == CACHE_FDS_MAX)
        return false;
    c->fds[c->n] = atoi(rest);
    keep_fd(c->fds[c->n++], false);
    return true;
}

static bool
read_user(struct master *m, const char *rest)
{
    return (m->user = strdup(rest)) != NULL && identity_choose(rest, &m->identity);
}

static bool
read_house(struct master *m, const char *rest)
{
    return house_restore(&m->house, m->pid_file, rest) == 0;
}

static bool
read_line(struct master *m, const char *word, const char *rest)
{
    if (strcmp(word, "fetchd") == 0 || strcmp(word, "pid") == 0)
        return true; /* looked at when it was found */
    if (strcmp(word, "control") == 0)
        return sscanf(rest, "%d", &m->carried_control) == 1;
    if (strcmp(word, "user") == 0)
        return read_user(m, rest);
    if (strcmp(word, "pid_file") == 0)
        return (m->pid_file = strdup(rest)) != NULL;
    if (strcmp(word, "board") == 0)
        return read_board(m, rest);
    if (strcmp(word, "cache") == 0)
        return read_cache(m, rest);
    if (strcmp(word, "serial") == 0)
        return sscanf(rest, "%u", &m->serial) == 1;
    if (strcmp(word, "generation") == 0)
        return sscanf(rest, "%u %u", &m->now.number, &m->last_generation) == 2;
    if (strcmp(word, "listen") == 0 || strcmp(word, "given") == 0)
        return read_listener(m, word[0] == 'g', rest);
    if (strcmp(word, "child") == 0)
        return read_child(m, rest);
    if (strcmp(word, "place") == 0)
        return read_place(m, rest);
    if (strcmp(word, "wish") == 0)
        return read_wish(m, rest);
    return strcmp(word, "house") == 0 && read_house(m, rest);
}

static bool
read_lines(struct master *m, char *text)
{
    char *line, *end, *rest;

    for (line = text; *line != '\0'; line = end + 1) {
        end = strchrnul(line, '\n');
        if (*end == '\0')
            return false; /* cut off */
        *end = '\0';
        rest = strchrnul(line, ' ');
        if (*rest == ' ')
            *rest++ = '\0';
        if (!read_line(m, line, rest)) {
            log_error("upgrade: cannot take over \"%s %s\"", line, rest);
            return false;
        }
    }
    return m->board != NULL && m->user != NULL && m->pid_file != NULL;
}

bool
carry_restore(struct master *m, int fd)
{
    char *text = NULL;
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && st.st_size < BYTES_MAX &&
              (text = calloc(1, (size_t)st.st_size + 1)) != NULL &&
              pread(fd, text, (size_t)st.st_size, 0) == (ssize_t)st.st_size &&
              read_lines(m, text);

    free(text);
    close(fd);
    return ok;
}
