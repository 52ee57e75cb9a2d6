/*
 * cache_fixture.c - processes around one cache, and items that prove themselves.
 */
#include "tests/unit/cache_fixture.h"
#include "tests/random.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARKS_MOST 24

unsigned
fixture_random(uint64_t *x)
{
    return (unsigned)(random_next(x) >> 20);
}

void *
fixture_shared(size_t bytes)
{
    void *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert(p != MAP_FAILED);
    return p;
}

struct cache *
fixture_view(struct cache *master, size_t bytes, size_t capacity, size_t slot)
{
    int fds[CACHE_FDS_MAX];
    size_t i, n = cache_fds(master, fds);
    struct cache *c;

    for (i = 0; i < n; i++)
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    c = cache_adopt(fds, n, bytes, capacity);
    assert(c != NULL);
    cache_join(c, slot);
    return c;
}

struct cache_key
fixture_key(const struct cache *c, unsigned id, char text[16])
{
    struct cache_key key;

    cache_key(c, FIXTURE_SOURCE, span_of(text, (size_t)snprintf(text, 16, "%u", id)),
              &key);
    return key;
}

static uint64_t
item_seed(unsigned id, usec_t asked_at)
{
    return word_mix(((uint64_t)id << 40) ^ asked_at ^ 0x5bd1e995);
}

static size_t
item_make(char *item, unsigned id, usec_t asked_at, size_t most)
{
    uint64_t x = item_seed(id, asked_at);
    size_t i, n = x % (most + 1);

    for (i = 0; i < n; i++) {
        if (i % 8 == 0)
            x = x * 0xd1342543de82ef95u + 1;
        item[i] = (char)(x >> (8 * (i % 8)));
    }
    return n;
}

/* As many as the time says, and of them too what it says. */
static struct span
marks_make(char marks[MARKS_MOST], usec_t asked_at)
{
    size_t i, n = asked_at % (MARKS_MOST + 1);

    for (i = 0; i < n; i++)
        marks[i] = (char)(asked_at * (i + 3) >> 2);
    return span_of(marks, n);
}

enum cache_put
fixture_put(struct cache *c, unsigned id, usec_t asked_at, size_t most)
{
    char marks[MARKS_MOST], text[16], *item = malloc(most + 1);
    struct cache_key key = fixture_key(c, id, text);
    size_t n = item_make(item, id, asked_at, most);
    enum cache_put how;

    how = n % 7 == 0 ? cache_put_absent(c, &key, asked_at)
                     : cache_put_found(c, &key, asked_at, span_of(item, n), ~asked_at,
                                       marks_make(marks, asked_at));
    free(item);
    return how;
}

/* The marks are right, or none. */
static bool
item_is(struct span got, const struct cache_hit *hit, unsigned id, size_t most)
{
    char marks[MARKS_MOST], *item = malloc(most + 1);
    size_t n = item_make(item, id, hit->asked_at, most);
    bool same = hit->len == n && got.n == n + hit->nmarks && n % 7 != 0 &&
                memcmp(got.p, item, n) == 0 && hit->form == ~hit->asked_at;

    if (hit->nmarks > 0)
        same = same && span_equal(marks_make(marks, hit->asked_at),
                                  span_of(got.p + n, hit->nmarks));
    free(item);
    return same;
}

bool
fixture_get(struct cache *c, unsigned id, size_t most, enum cache_verdict *verdict,
            usec_t *asked_at)
{
    struct cache_hit hit = { .with_marks = true };
    struct buf out = BUF_INIT;
    char text[16];
    struct cache_key key = fixture_key(c, id, text);
    bool right = true;

    *verdict = cache_get(c, &key, &out, &hit);
    *asked_at = hit.asked_at;
    if (*verdict == CACHE_FOUND)
        right = item_is(buf_span(&out), &hit, id, most);
    else
        right = buf_size(&out) == 0 && !buf_failed(&out);
    if (*verdict == CACHE_ABSENT)
        right = right && item_seed(id, hit.asked_at) % (most + 1) % 7 == 0;
    buf_fini(&out);
    return right;
}

pid_t
fixture_fork(struct cache *c, size_t slot, int (*run)(struct cache *, void *), void *arg)
{
    pid_t pid = fork();

    assert(pid != -1);
    if (pid == 0) {
        cache_join(c, slot);
        _exit(run(c, arg));
    }
    return pid;
}

int
fixture_wait(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) != pid)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
