/*
 * scoreboard.c - what every child says of itself, in memory all of them share.
 *
 *     header | totals of the dead | slot 0 | slot 1 | ... | box 0 | box 1 | ...
 *
 * Each lies on cache lines of its own, and the boxes, which nobody sums, apart.
 *
 * The mapping is a sealed memfd: a master that executes a new program keeps the
 * descriptor, and the new one finds the children's hearts and the totals where they
 * were.  It has room for every slot there may ever be, which costs address space only;
 * readers look at the slots that were ever used.
 *
 * Folding moves a dead slot's counters into the totals; a reader in between would count
 * them twice or not at all, so the master makes 'folds' odd while it works and readers
 * try again (a few times: a master that died half way must not hang anyone).
 */
#include "server/stats/scoreboard.h"

#include "common/net.h"
#include "server/stats/blackbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE_LINE 64
#define SUM_TRIES 100

struct scoreboard_slot {
    alignas(CACHE_LINE) _Atomic uint32_t state;
    _Atomic uint32_t pid;
    _Atomic uint64_t started;
    _Atomic uint64_t heartbeat;
    struct metrics metrics;
};

/* What lies in the shared mapping. */
struct shared {
    uint64_t stamp;        /* what 'layout' says; written once */
    _Atomic uint64_t used; /* slots [0, used) were lived in */
    _Atomic uint64_t started;
    _Atomic uint64_t folds;
    _Atomic uint64_t deaths;
    _Atomic uint32_t queue; /* see scoreboard_set_queue */
    _Atomic uint32_t queue_room;
    struct metrics dead;
    struct scoreboard_slot slots[];
};

/* Private to each process: no child can scribble over the bounds. */
struct scoreboard {
    size_t capacity;
    size_t bytes;
    uint32_t master_pid;
    int fd;
    struct shared *shared;
};

#define METRIC_INFO(kind, name, help) { #name, METRIC_KIND_##kind, help },
const struct metric_info metric_infos[METRIC_COUNT] = { METRICS(METRIC_INFO) };
#undef METRIC_INFO

static const char *const slot_state_names[SLOT_NSTATES] = {
    [SLOT_EMPTY] = "empty",
    [SLOT_STARTING] = "starting",
    [SLOT_READY] = "ready",
    [SLOT_DRAINING] = "draining",
};

/* Another program may count other things, or in another order: then its board is of no
 * use to us.  FNV-1a over the names, and the sizes. */
static uint64_t
layout(size_t capacity)
{
    uint64_t h = 0xcbf29ce484222325;
    const char *p;
    size_t i;

    for (i = 0; i < METRIC_COUNT; i++) {
        for (p = metric_infos[i].name; *p != '\0'; p++)
            h = (h ^ (uint64_t)(unsigned char)*p) * 0x100000001b3;
        h = (h ^ (uint64_t)metric_infos[i].kind) * 0x100000001b3;
    }
    h = (h ^ sizeof(struct shared)) * 0x100000001b3;
    h = (h ^ sizeof(struct scoreboard_slot)) * 0x100000001b3;
    h = (h ^ sizeof(struct blackbox)) * 0x100000001b3;
    return (h ^ capacity) * 0x100000001b3;
}

static size_t
bytes_of(size_t capacity)
{
    return sizeof(struct shared) +
           capacity * (sizeof(struct scoreboard_slot) + sizeof(struct blackbox));
}

/* Takes the descriptor when it succeeds. */
static struct scoreboard *
board_map(int fd, size_t capacity)
{
    struct scoreboard *board = malloc(sizeof(*board));

    if (board == NULL)
        return NULL;
    board->capacity = capacity;
    board->bytes = bytes_of(capacity);
    board->master_pid = (uint32_t)getpid();
    board->fd = fd;
    board->shared = mmap(NULL, board->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (board->shared == MAP_FAILED) {
        free(board);
        return NULL;
    }
    return board;
}

struct scoreboard *
scoreboard_new(size_t capacity)
{
    int fd = memfd_create("fetchd-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct scoreboard *board;

    if (fd == -1)
        return NULL;
    if (ftruncate(fd, (off_t)bytes_of(capacity)) == -1 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1 ||
        (board = board_map(fd, capacity)) == NULL) {
        net_close_keep_errno(fd);
        return NULL;
    }
    board->shared->stamp = layout(capacity);
    atomic_store(&board->shared->started, clock_now());
    return board;
}

struct scoreboard *
scoreboard_adopt(int fd, size_t capacity)
{
    struct scoreboard *board;
    struct stat st;

    if (fstat(fd, &st) == -1)
        return NULL;
    if (st.st_size != (off_t)bytes_of(capacity)) {
        errno = EINVAL;
        return NULL;
    }
    if ((board = board_map(fd, capacity)) == NULL)
        return NULL;
    if (board->shared->stamp != layout(capacity)) {
        munmap(board->shared, board->bytes);
        free(board);
        errno = EINVAL;
        return NULL;
    }
    return board;
}

void
scoreboard_free(struct scoreboard **board)
{
    if (*board != NULL) {
        munmap((*board)->shared, (*board)->bytes);
        close((*board)->fd);
    }
    free(*board);
    *board = NULL;
}

int
scoreboard_fd(const struct scoreboard *board)
{
    return board->fd;
}

size_t
scoreboard_size(const struct scoreboard *board)
{
    uint64_t used = atomic_load_explicit(&board->shared->used, memory_order_relaxed);

    /* It lies in shared memory: compared, never believed. */
    return used < board->capacity ? (size_t)used : board->capacity;
}

void
scoreboard_use(struct scoreboard *board, size_t slot)
{
    if (slot >= scoreboard_size(board))
        atomic_store(&board->shared->used, slot + 1);
}

struct scoreboard_slot *
scoreboard_slot(struct scoreboard *board, size_t slot)
{
    return &board->shared->slots[slot];
}

struct blackbox *
scoreboard_box(struct scoreboard *board, size_t slot)
{
    struct scoreboard_slot *end = &board->shared->slots[board->capacity];

    return (struct blackbox *)(void *)end + slot;
}

void
scoreboard_fold(struct scoreboard *board, size_t slot)
{
    struct scoreboard_slot *s = &board->shared->slots[slot];
    size_t i;

    /* Odd now and even afterwards, whatever somebody wrote there. */
    atomic_fetch_or(&board->shared->folds, 1);
    for (i = 0; i < METRIC_COUNT; i++) {
        uint64_t last = metrics_get(&s->metrics, (enum metric)i);

        if (metric_infos[i].kind == METRIC_KIND_COUNTER)
            metrics_add(&board->shared->dead, (enum metric)i, last);
        else if (metric_infos[i].kind == METRIC_KIND_PEAK)
            metrics_peak(&board->shared->dead, (enum metric)i, last);
        metrics_set(&s->metrics, (enum metric)i, 0);
    }
    atomic_store(&s->state, SLOT_EMPTY);
    atomic_store(&s->pid, 0);
    atomic_fetch_add(&board->shared->folds, 1);
}

void
scoreboard_count_death(struct scoreboard *board)
{
    atomic_fetch_add(&board->shared->deaths, 1);
}

void
scoreboard_set_queue(struct scoreboard *board, uint32_t waiting, uint32_t room)
{
    atomic_store(&board->shared->queue, waiting);
    atomic_store(&board->shared->queue_room, room);
}

void
slot_claim(struct scoreboard_slot *slot, int pid, usec_t now)
{
    size_t i;

    /* Empty it should be; but anybody may have written there. */
    for (i = 0; i < METRIC_COUNT; i++)
        metrics_set(&slot->metrics, (enum metric)i, 0);
    atomic_store(&slot->started, now);
    atomic_store(&slot->heartbeat, now);
    atomic_store(&slot->pid, (uint32_t)pid);
    atomic_store(&slot->state, SLOT_STARTING);
}

void
slot_set_state(struct scoreboard_slot *slot, enum slot_state state)
{
    atomic_store(&slot->state, (uint32_t)state);
}

void
slot_beat(struct scoreboard_slot *slot, usec_t now)
{
    atomic_store_explicit(&slot->heartbeat, now, memory_order_relaxed);
}

struct metrics *
slot_metrics(struct scoreboard_slot *slot)
{
    return &slot->metrics;
}

enum slot_state
slot_state(const struct scoreboard_slot *slot)
{
    uint32_t state = atomic_load(&slot->state);

    return state < SLOT_NSTATES ? (enum slot_state)state : SLOT_EMPTY;
}

usec_t
slot_heartbeat(const struct scoreboard_slot *slot)
{
    return atomic_load_explicit(&slot->heartbeat, memory_order_relaxed);
}

uint64_t
slot_connections(const struct scoreboard_slot *slot)
{
    return metrics_get(&slot->metrics, METRIC_curr_connections);
}

bool
scoreboard_alive(const struct scoreboard *board, usec_t now, usec_t within)
{
    size_t i, size = scoreboard_size(board);

    for (i = 0; i < size; i++) {
        const struct scoreboard_slot *s = &board->shared->slots[i];
        enum slot_state state = slot_state(s);
        usec_t beat = slot_heartbeat(s);

        if ((state == SLOT_READY || state == SLOT_DRAINING) &&
            (beat > now || now - beat < within))
            return true;
    }
    return false;
}

static void
add_to(uint64_t *sum, enum metric_kind kind, uint64_t value)
{
    if (kind != METRIC_KIND_PEAK)
        *sum += value;
    else if (value > *sum)
        *sum = value;
}

void
scoreboard_sum(const struct scoreboard *board, uint64_t out[METRIC_COUNT])
{
    size_t i, slot, size = scoreboard_size(board);
    uint64_t folds;
    int tries = 0;

    do {
        folds = atomic_load(&board->shared->folds);
        for (i = 0; i < METRIC_COUNT; i++)
            out[i] = metrics_get(&board->shared->dead, (enum metric)i);
        for (slot = 0; slot < size; slot++)
            for (i = 0; i < METRIC_COUNT; i++)
                add_to(&out[i], metric_infos[i].kind,
                       metrics_get(&board->shared->slots[slot].metrics, (enum metric)i));
    } while ((folds % 2 != 0 || folds != atomic_load(&board->shared->folds)) &&
             ++tries < SUM_TRIES);
}

static void
print_stat(struct buf *out, const char *name, uint64_t value)
{
    BUF_APPEND_LIT(out, "STAT ");
    buf_append_span(out, span_str(name));
    buf_append_char(out, ' ');
    buf_append_u64(out, value);
    BUF_APPEND_LIT(out, "\r\n");
}

/* Figures of memcached under its own names, for programs that watch one and take an
 * absent name for a dead server.  What no row of metrics.h stands for is 0. */
static const struct {
    const char *name;
    enum metric first; /* added up; METRIC_COUNT: nothing */
    enum metric second;
} memcached_names[] = {
    { "cmd_get", METRIC_ids, METRIC_COUNT },
    { "get_hits", METRIC_items, METRIC_COUNT },
    { "get_misses", METRIC_misses, METRIC_failures },
    { "cmd_set", METRIC_COUNT, METRIC_COUNT },
    { "cmd_flush", METRIC_flushes, METRIC_COUNT },
    { "cmd_touch", METRIC_COUNT, METRIC_COUNT },
    { "cas_hits", METRIC_COUNT, METRIC_COUNT },
    { "cas_misses", METRIC_COUNT, METRIC_COUNT },
    { "cas_badval", METRIC_COUNT, METRIC_COUNT },
    { "delete_hits", METRIC_COUNT, METRIC_COUNT },
    { "delete_misses", METRIC_COUNT, METRIC_COUNT },
    { "incr_hits", METRIC_COUNT, METRIC_COUNT },
    { "incr_misses", METRIC_COUNT, METRIC_COUNT },
    { "decr_hits", METRIC_COUNT, METRIC_COUNT },
    { "decr_misses", METRIC_COUNT, METRIC_COUNT },
    { "touch_hits", METRIC_COUNT, METRIC_COUNT },
    { "touch_misses", METRIC_COUNT, METRIC_COUNT },
    { "auth_cmds", METRIC_COUNT, METRIC_COUNT },
    { "auth_errors", METRIC_COUNT, METRIC_COUNT },
    { "expired_unfetched", METRIC_COUNT, METRIC_COUNT },
    { "evicted_unfetched", METRIC_COUNT, METRIC_COUNT },
    { "reclaimed", METRIC_COUNT, METRIC_COUNT },
    { "listen_disabled_num", METRIC_COUNT, METRIC_COUNT },
    { "conn_yields", METRIC_COUNT, METRIC_COUNT },
};

static void
print_memcached_names(struct buf *out, const uint64_t sum[METRIC_COUNT])
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(memcached_names); i++) {
        enum metric first = memcached_names[i].first;
        enum metric second = memcached_names[i].second;

        print_stat(out, memcached_names[i].name,
                   (first < METRIC_COUNT ? sum[first] : 0) +
                       (second < METRIC_COUNT ? sum[second] : 0));
    }
}

void
scoreboard_print_stats(const struct scoreboard *board, usec_t now, struct buf *out)
{
    uint64_t sum[METRIC_COUNT], workers = 0, ready = 0;
    size_t i, size = scoreboard_size(board);
    usec_t started = atomic_load(&board->shared->started);

    for (i = 0; i < size; i++) {
        workers += slot_state(&board->shared->slots[i]) != SLOT_EMPTY;
        ready += slot_state(&board->shared->slots[i]) == SLOT_READY;
    }
    print_stat(out, "pid", board->master_pid);
    print_stat(out, "uptime", now > started ? (now - started) / USEC_PER_SEC : 0);
    print_stat(out, "time", (uint64_t)time(NULL));
    BUF_APPEND_LIT(out, "STAT version " FETCHD_VERSION "\r\n");
    print_stat(out, "pointer_size", 8 * sizeof(void *));
    print_stat(out, "threads", workers);
    print_stat(out, "workers", workers);
    print_stat(out, "workers_ready", ready);
    print_stat(out, "worker_deaths", atomic_load(&board->shared->deaths));
    print_stat(out, "listen_queue", atomic_load(&board->shared->queue));
    print_stat(out, "listen_queue_max", atomic_load(&board->shared->queue_room));
    scoreboard_sum(board, sum);
    for (i = 0; i < METRIC_COUNT; i++)
        print_stat(out, metric_infos[i].name, sum[i]);
    print_memcached_names(out, sum);
}

void
scoreboard_print_workers(const struct scoreboard *board, usec_t now, struct buf *out)
{
    const struct scoreboard_slot *s;
    usec_t beat, started;
    size_t i, size = scoreboard_size(board);

    for (i = 0; i < size; i++) {
        s = &board->shared->slots[i];
        if (slot_state(s) == SLOT_EMPTY)
            continue;
        /* Another process wrote both, perhaps after 'now'. */
        beat = slot_heartbeat(s);
        started = atomic_load(&s->started);
        buf_append_fmt(out,
                       "WORKER %zu pid=%u state=%s connections=%llu requests=%llu "
                       "uptime_s=%llu heartbeat_ms=%llu\r\n",
                       i, atomic_load(&s->pid), slot_state_names[slot_state(s)],
                       (unsigned long long)slot_connections(s),
                       (unsigned long long)metrics_get(&s->metrics, METRIC_requests),
                       (unsigned long long)(now > started ? (now - started) / USEC_PER_SEC
                                                          : 0),
                       (unsigned long long)(now > beat ? (now - beat) / USEC_PER_MSEC
                                                       : 0));
    }
}
