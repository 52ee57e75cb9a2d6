/*
 * watchdog.c - the supervisor's judgement over hearts that do not beat.
 */
#include "server/master/supervisor.h"

/* The steps (a heart beats every 250 ms). */
#define WARN_AFTER (1 * USEC_PER_SEC)
#define KILL_AFTER_ABORT (2 * USEC_PER_SEC)

/* A look that comes so late says that we were stopped ourselves. */
#define LATE (2 * USEC_PER_SEC)

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
stage_of(const struct supervisor *s, usec_t silence)
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

    if (sl->state != CHILD_READY && sl->state != CHILD_RETIRING)
        return WATCH_FINE;
    stage = stage_of(s, now > beat ? now - beat : 0);
    if (stage == WATCH_FINE)
        sl->stage = WATCH_FINE;
    if (stage <= sl->stage)
        return WATCH_FINE;
    /* One step at a time: nobody is killed who was not aborted before. */
    sl->stage++;
    return sl->stage;
}
