/*
 * quantile.c - what 95 % of the latest took at most, in a few bytes.
 *
 * Step of a value: its highest bit, and the two bits below that one.
 */
#include "server/source/quantile.h"

static unsigned
step_of(usec_t value)
{
    unsigned top, step;

    if (value < 4)
        return (unsigned)value;
    top = 63 - (unsigned)__builtin_clzll(value);
    step = (top - 1) * 4 + (unsigned)(value >> (top - 2) & 3);
    return step < QUANTILE_STEPS ? step : QUANTILE_STEPS - 1;
}

/* The least value that is beyond the step. */
static usec_t
step_end(unsigned step)
{
    unsigned top = step / 4 + 1;

    if (step < 4)
        return step + 1;
    return (usec_t)(4 + step % 4 + 1) << (top - 2);
}

void
quantile_add(struct quantile *q, usec_t value)
{
    unsigned i;

    q->counts[step_of(value)]++;
    if (++q->n < QUANTILE_WINDOW)
        return;
    q->n = 0;
    for (i = 0; i < QUANTILE_STEPS; i++) {
        q->counts[i] /= 2;
        q->n += q->counts[i];
    }
}

usec_t
quantile_at(const struct quantile *q, unsigned percent, uint32_t least)
{
    uint64_t seen = 0;
    unsigned i;

    if (q->n < least || q->n == 0)
        return 0;
    for (i = 0; i < QUANTILE_STEPS; i++) {
        seen += q->counts[i];
        if (seen * 100 >= (uint64_t)q->n * percent)
            break;
    }
    return step_end(i < QUANTILE_STEPS ? i : QUANTILE_STEPS - 1);
}
