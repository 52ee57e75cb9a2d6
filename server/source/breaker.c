/*
 * breaker.c - when to stop asking somebody who does not answer.
 *
 * Asked are several at once, so words of earlier calls arrive in any state: a failure
 * while open is no news, and an answer while open is the best news there is.
 */
#include "server/source/breaker.h"

#include <assert.h>

static const char *const names[] = {
    [BREAKER_CLOSED] = "closed",
    [BREAKER_OPEN] = "open",
    [BREAKER_HALF_OPEN] = "half-open",
};

void
breaker_init(struct breaker *b, unsigned failures_max, usec_t pause_min, usec_t pause_max)
{
    assert(failures_max > 0 && pause_min <= pause_max);
    *b = (struct breaker){ .failures_max = failures_max,
                           .pause_min = pause_min,
                           .pause_max = pause_max,
                           .state = BREAKER_CLOSED,
                           .pause = pause_min };
}

const char *
breaker_name(const struct breaker *b)
{
    return names[b->state];
}

bool
breaker_allows(const struct breaker *b, usec_t now)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return now >= b->until;
    case BREAKER_HALF_OPEN:
        break;
    }
    return false;
}

void
breaker_asked(struct breaker *b)
{
    assert(b->state != BREAKER_HALF_OPEN);
    if (b->state == BREAKER_OPEN)
        b->state = BREAKER_HALF_OPEN;
}

bool
breaker_answered(struct breaker *b)
{
    bool closed = b->state != BREAKER_CLOSED;

    b->state = BREAKER_CLOSED;
    b->failures = 0;
    b->pause = b->pause_min;
    return closed;
}

bool
breaker_failed(struct breaker *b, usec_t now)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        if (++b->failures < b->failures_max)
            return false;
        break;
    case BREAKER_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        b->pause = b->pause > b->pause_max / 2 ? b->pause_max : 2 * b->pause;
        break;
    }
    b->failures = 0;
    b->state = BREAKER_OPEN;
    b->until = now + b->pause;
    return true;
}

void
breaker_learned_nothing(struct breaker *b, usec_t now)
{
    if (b->state != BREAKER_HALF_OPEN)
        return;
    b->state = BREAKER_OPEN;
    b->until = now;
}
