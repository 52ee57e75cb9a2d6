/*
 * log_rate.c - how often the same thing may be said.
 *
 * A table of fixed size, no list to search: a message that finds all of its places taken
 * by others within their windows takes that of the oldest, whose count is then lost.
 */
#include "common/log_rate.h"

#include <stddef.h>
#include <stdint.h>

#define PROBES 8

static unsigned
take_suppressed(struct log_rate *r, struct log_rate_message *m)
{
    unsigned n = m->suppressed;

    r->pending -= n > 0;
    m->suppressed = 0;
    return n;
}

static struct log_rate_message *
message_of(struct log_rate *r, const char *format)
{
    uint64_t h = (uint64_t)(uintptr_t)format * 0x9e3779b97f4a7c15;
    struct log_rate_message *m, *oldest = NULL;
    unsigned i;

    for (i = 0; i < PROBES; i++) {
        m = &r->messages[((h >> 32) + i) % LOG_RATE_MESSAGES];
        if (m->format == format)
            return m;
        if (oldest == NULL || m->since < oldest->since)
            oldest = m;
    }
    take_suppressed(r, oldest);
    *oldest = (struct log_rate_message){ .format = format };
    return oldest;
}

bool
log_rate_pass(struct log_rate *r, const char *format, unsigned burst, usec_t now,
              unsigned *suppressed)
{
    struct log_rate_message *m = message_of(r, format);

    *suppressed = 0;
    if (m->said == 0 || now - m->since >= LOG_RATE_WINDOW) {
        *suppressed = take_suppressed(r, m);
        m->since = now;
        m->said = 0;
    }
    if (m->said < burst) {
        m->said++;
        return true;
    }
    r->pending += m->suppressed == 0;
    m->suppressed++;
    return false;
}

const char *
log_rate_overdue(struct log_rate *r, usec_t now, unsigned *suppressed)
{
    size_t i;

    for (i = 0; r->pending > 0 && i < LOG_RATE_MESSAGES; i++) {
        struct log_rate_message *m = &r->messages[i];

        if (m->suppressed == 0 || now - m->since < LOG_RATE_WINDOW)
            continue;
        *suppressed = take_suppressed(r, m);
        return m->format;
    }
    return NULL;
}
