/*
 * supervisor.c - which child is to be raised when; judgement without hands.
 */
#include "server/master/supervisor.h"

#include <assert.h>
#include <stdlib.h>

/* Ready for this long, a child counts as healthy and its death as an accident. */
#define HEALTHY (500 * USEC_PER_MSEC)

#define DOUBLINGS_MAX 20

/* The watchdog's steps (a heart beats every 250 ms). */
#define WARN_AFTER (1 * USEC_PER_SEC)
#define KILL_AFTER_ABORT (2 * USEC_PER_SEC)

/* A look that comes so late says that we were stopped ourselves. */
#define LATE (2 * USEC_PER_SEC)

static bool
slot_lives(const struct supervisor_slot *slot)
{
    return slot->state == CHILD_STARTING || slot->state == CHILD_READY;
}

int
supervisor_init(struct supervisor *s, size_t nslots, const struct supervisor_rules *rules,
                usec_t now)
{
    size_t i;

    s->rules = *rules;
    s->nslots = nslots;
    s->stopping = false;
    if ((s->slots = calloc(nslots, sizeof(*s->slots))) == NULL)
        return -1;
    for (i = 0; i < nslots; i++)
        s->slots[i].due = now;
    return 0;
}

void
supervisor_fini(struct supervisor *s)
{
    free(s->slots);
    s->slots = NULL;
    s->nslots = 0;
}

long
supervisor_next_due(const struct supervisor *s, usec_t now)
{
    size_t i;

    for (i = 0; i < s->nslots && !s->stopping; i++) {
        if (s->slots[i].state == CHILD_DUE && s->slots[i].due <= now)
            return (long)i;
    }
    return -1;
}

void
supervisor_spawned(struct supervisor *s, size_t slot, pid_t pid, usec_t now)
{
    struct supervisor_slot *sl = &s->slots[slot];

    assert(slot < s->nslots && sl->state == CHILD_DUE && pid > 1);
    sl->state = CHILD_STARTING;
    sl->pid = pid;
    sl->since = now;
}

static usec_t
slot_delay(const struct supervisor *s, const struct supervisor_slot *sl, double chance)
{
    unsigned k =
        sl->early_deaths - 1 < DOUBLINGS_MAX ? sl->early_deaths - 1 : DOUBLINGS_MAX;
    usec_t delay = s->rules.respawn_min << k;

    if (delay > s->rules.respawn_max)
        delay = s->rules.respawn_max;
    return (usec_t)((double)delay * (0.8 + 0.4 * chance));
}

void
supervisor_not_spawned(struct supervisor *s, size_t slot, usec_t now, double chance)
{
    struct supervisor_slot *sl = &s->slots[slot];

    sl->early_deaths++;
    sl->due = now + slot_delay(s, sl, chance);
}

void
supervisor_ready(struct supervisor *s, size_t slot, usec_t now)
{
    struct supervisor_slot *sl = &s->slots[slot];

    if (slot >= s->nslots || sl->state != CHILD_STARTING)
        return;
    sl->state = CHILD_READY;
    sl->stage = WATCH_FINE;
    sl->since = now;
}

bool
supervisor_reaped(struct supervisor *s, pid_t pid, usec_t now, double chance,
                  struct supervisor_death *out)
{
    struct supervisor_slot *sl;
    bool healthy;
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (slot_lives(&s->slots[i]) && s->slots[i].pid == pid)
            break;
    }
    if (i == s->nslots)
        return false;
    sl = &s->slots[i];
    healthy = sl->state == CHILD_READY && now - sl->since >= HEALTHY;
    sl->early_deaths = healthy ? 0 : sl->early_deaths + 1;
    sl->restarts++;
    *out = (struct supervisor_death){
        .slot = i,
        .was_ready = sl->state == CHILD_READY,
        .restarts = sl->restarts,
        .delay = healthy ? 0 : slot_delay(s, sl, chance),
    };
    sl->state = s->stopping ? CHILD_GONE : CHILD_DUE;
    sl->pid = 0;
    sl->since = now;
    sl->due = now + out->delay;
    return true;
}

void
supervisor_stop(struct supervisor *s)
{
    size_t i;

    s->stopping = true;
    for (i = 0; i < s->nslots; i++) {
        if (!slot_lives(&s->slots[i]))
            s->slots[i].state = CHILD_GONE;
    }
}

long
supervisor_next_late(const struct supervisor *s, usec_t now)
{
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state == CHILD_STARTING &&
            now - s->slots[i].since >= s->rules.start_timeout)
            return (long)i;
    }
    return -1;
}

bool
supervisor_watch_due(struct supervisor *s, usec_t now)
{
    usec_t since = now - s->watched;
    bool late = since >= LATE;

    if (since < SUPERVISOR_WATCH_EVERY)
        return false;
    s->watched = now;
    return !late;
}

static enum watch_stage
watch_stage_of(const struct supervisor *s, usec_t silence)
{
    if (silence >= s->rules.hang_timeout + KILL_AFTER_ABORT)
        return WATCH_KILLED;
    if (silence >= s->rules.hang_timeout)
        return WATCH_ABORTED;
    return silence >= WARN_AFTER ? WATCH_WARNED : WATCH_FINE;
}

enum watch_stage
supervisor_watch(struct supervisor *s, size_t slot, usec_t beat, usec_t now)
{
    struct supervisor_slot *sl = &s->slots[slot];
    enum watch_stage stage;

    if (sl->state != CHILD_READY)
        return WATCH_FINE;
    stage = watch_stage_of(s, now > beat ? now - beat : 0);
    if (stage == WATCH_FINE)
        sl->stage = WATCH_FINE;
    if (stage <= sl->stage)
        return WATCH_FINE;
    /* One step at a time: nobody is killed who was not aborted before. */
    sl->stage++;
    return sl->stage;
}

usec_t
supervisor_wakeup(const struct supervisor *s)
{
    usec_t first = 0, at;
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state == CHILD_DUE && !s->stopping)
            at = s->slots[i].due;
        else if (s->slots[i].state == CHILD_STARTING)
            at = s->slots[i].since + s->rules.start_timeout;
        else
            continue;
        if (first == 0 || at < first)
            first = at;
    }
    return first;
}

size_t
supervisor_count(const struct supervisor *s, enum child_state state)
{
    size_t i, n = 0;

    for (i = 0; i < s->nslots; i++)
        n += s->slots[i].state == state;
    return n;
}

bool
supervisor_empty(const struct supervisor *s)
{
    return supervisor_count(s, CHILD_STARTING) + supervisor_count(s, CHILD_READY) == 0;
}
