/*
 * region.c - the mapping, and who is alive.
 *
 * A memfd rather than anonymous memory, because it must outlive the execve of an
 * upgrade; sealed, because a region that shrinks under a reader is a SIGBUS.  It is not
 * touched when it is made: all zero is a valid, empty region but for the head.
 *
 * A holder's word is slot 16 | epoch 32 | check 16.  The check keeps a flipped bit from
 * turning one holder into another that lives and knows nothing of it.
 */
#include "server/cache/region.h"

#include "common/compiler.h"
#include "server/cache/checksum.h"
#include "server/cache/geometry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static struct cache *
view_new(size_t bytes, size_t capacity)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    geometry_make(&c->at, bytes, capacity);
    c->checksum = checksum_best();
    buf_init(&c->stage, 0);
    c->base = MAP_FAILED;
    c->region_fd = -1;
    return c;
}

static int
view_map(struct cache *c, int fd)
{
    c->base = mmap(NULL, c->at.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                   fd, 0);
    if (c->base == MAP_FAILED)
        return -1;
    /* Items do not belong in core files. */
    (void)madvise(c->base, c->at.bytes, MADV_DONTDUMP);
    /* A prefetched hit among a million items of 300 bytes takes 92 instead of 120 ns on
     * huge pages (measured with private memory).  The kernel heeds this only where its
     * shmem_enabled says "advise", which is not its default: memory is then taken by
     * 2 MiB at a time. */
    (void)madvise(c->base, c->at.bytes, MADV_HUGEPAGE);
    return 0;
}

static int
region_open(size_t bytes)
{
    int fd = memfd_create("fetchd-cache", MFD_CLOEXEC | MFD_ALLOW_SEALING), saved;

    if (fd == -1)
        return -1;
    if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* No more than an eighth of the descriptors: the others are for clients. */
static size_t
wake_count(size_t capacity)
{
    size_t n = capacity < CACHE_FDS_MAX - 1 ? capacity : CACHE_FDS_MAX - 1;
    struct rlimit nofile;

    if (getrlimit(RLIMIT_NOFILE, &nofile) == 0 && nofile.rlim_cur != RLIM_INFINITY &&
        nofile.rlim_cur / 8 < n)
        n = nofile.rlim_cur / 8;
    return n;
}

struct cache *
cache_new(size_t bytes, size_t capacity)
{
    struct cache *c = view_new(bytes, capacity);
    struct region_head *head;
    int fd, saved;
    size_t want;

    if (c == NULL)
        return NULL;
    c->region_fd = region_open(c->at.bytes);
    if (c->region_fd == -1 || view_map(c, c->region_fd) == -1)
        goto fail;
    for (want = wake_count(capacity); c->nwake < want; c->nwake++) {
        if ((fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
            goto fail;
        c->wake_fds[c->nwake] = fd;
    }
    hash_key_init(&c->hash_key);
    head = region_head(c);
    word_set(&head->k0, c->hash_key.k0);
    word_set(&head->k1, c->hash_key.k1);
    word_set(&head->version, CACHE_VERSION);
    word_set(&head->layout, geometry_stamp(&c->at));
    word_set(&head->magic, CACHE_MAGIC);
    return c;
fail:
    saved = errno;
    cache_free(&c);
    errno = saved;
    return NULL;
}

size_t
cache_fds(const struct cache *c, int fds[CACHE_FDS_MAX])
{
    size_t i;

    fds[0] = c->region_fd;
    for (i = 0; i < c->nwake; i++)
        fds[1 + i] = c->wake_fds[i];
    return 1 + c->nwake;
}

static bool
is_region(int fd, size_t bytes)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    return seals != -1 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
           st.st_size == (off_t)bytes;
}

struct cache *
cache_adopt(const int *fds, size_t nfds, size_t bytes, size_t capacity)
{
    struct cache *c = view_new(bytes, capacity);
    struct region_head *head;
    size_t i;

    if (c == NULL)
        return NULL;
    if (nfds < 1 || nfds > CACHE_FDS_MAX || !is_region(fds[0], c->at.bytes) ||
        view_map(c, fds[0]) == -1)
        goto fail;
    head = region_head(c);
    if (word_get(&head->magic) != CACHE_MAGIC ||
        word_get(&head->version) != CACHE_VERSION ||
        word_get(&head->layout) != geometry_stamp(&c->at))
        goto fail;
    c->hash_key.k0 = word_get(&head->k0);
    c->hash_key.k1 = word_get(&head->k1);
    c->region_fd = fds[0];
    for (i = 1; i < nfds; i++)
        c->wake_fds[c->nwake++] = fds[i];
    for (i = 0; i < nfds; i++)
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    return c;
fail:
    cache_free(&c);
    return NULL;
}

void
cache_free(struct cache **cache)
{
    struct cache *c = *cache;
    size_t i;

    *cache = NULL;
    if (c == NULL)
        return;
    for (i = 0; i < c->nwake; i++)
        close(c->wake_fds[i]);
    if (c->region_fd != -1)
        close(c->region_fd);
    buf_fini(&c->stage);
    if (c->base != MAP_FAILED)
        munmap(c->base, c->at.bytes);
    free(c);
}

uint32_t
holder_epoch(const struct cache *c, size_t slot)
{
    return (uint32_t)word_get(&region_words(c, c->at.epochs)[slot]);
}

static uint64_t
sign(size_t slot, uint32_t epoch)
{
    uint64_t word = (uint64_t)(slot + 1) << 48 | (uint64_t)epoch << 16;

    return word | word_mix(word) >> 48;
}

uint64_t
holder_word(struct cache *c)
{
    if (!c->joined)
        return 0;
    /* The table decides: whoever disagrees with it counts as dead for the others. */
    c->epoch = holder_epoch(c, c->slot);
    return sign(c->slot, c->epoch);
}

bool
holder_lives(const struct cache *c, uint64_t word)
{
    size_t slot = (size_t)(word >> 48) - 1;

    return slot < c->at.capacity && word == sign(slot, holder_epoch(c, slot));
}

void
cache_join(struct cache *c, size_t slot)
{
    if (slot >= c->at.capacity)
        return;
    c->joined = true;
    c->slot = slot;
    if (c->region_fd != -1)
        close(c->region_fd); /* the master's, for the upgrade */
    c->region_fd = -1;
}

void
cache_slot_died(struct cache *c, size_t slot)
{
    if (slot >= c->at.capacity)
        return;
    atomic_fetch_add(&region_words(c, c->at.epochs)[slot], 1);
    /* Deaths are rare: all look whether it concerns them. */
    region_wake(c, ~(uint64_t)0);
}

uint64_t
region_wake_bit(const struct cache *c)
{
    return c->joined && c->nwake > 0 ? (uint64_t)1 << (c->slot % c->nwake) : 0;
}

int
cache_wake_fd(const struct cache *c)
{
    return c->joined && c->nwake > 0 ? c->wake_fds[c->slot % c->nwake] : -1;
}

void
region_wake(const struct cache *c, uint64_t groups)
{
    uint64_t one = 1;
    size_t i;

    for (i = 0; i < c->nwake; i++) {
        /* Full after 2^64 wakes: no failure that can happen. */
        if ((groups >> i & 1) != 0 && write(c->wake_fds[i], &one, sizeof(one)) == -1)
            continue;
    }
}
