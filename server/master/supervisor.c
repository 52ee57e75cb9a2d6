/*
 * supervisor.c - which child is to be raised or to retire when; judgement without hands.
 */
#include "server/master/supervisor.h"

#include <assert.h>
#include <stdlib.h>

/* Ready for this long, a child counts as healthy and its death as an accident. */
#define HEALTHY (500 * USEC_PER_MSEC)

#define DOUBLINGS_MAX 20

int
supervisor_init(struct supervisor *s, size_t nslots, const struct supervisor_rules *rules)
{
    *s = (struct supervisor){ .rules = *rules, .nslots = nslots };
    s->slots = calloc(nslots, sizeof(*s->slots));
    return s->slots == NULL ? -1 : 0;
}

void
supervisor_fini(struct supervisor *s)
{
    free(s->slots);
    s->slots = NULL;
    s->nslots = 0;
}

/* --- what is wanted ------------------------------------------------------------------ */

void
supervisor_turn(struct supervisor *s, unsigned generation, size_t nplaces, usec_t now)
{
    assert(nplaces >= 1 && nplaces <= SUPERVISOR_PLACES);
    if (s->mode == SUPERVISOR_STOPPING)
        return;
    s->mode = SUPERVISOR_RAISING;
    s->generation = generation;
    s->failures = 0;
    s->nplaces = 0;
    supervisor_resize(s, nplaces, now);
}

void
supervisor_resize(struct supervisor *s, size_t nplaces, usec_t now)
{
    size_t i;

    assert(nplaces >= 1 && nplaces <= SUPERVISOR_PLACES);
    for (i = s->nplaces; i < nplaces; i++) {
        s->places[i].due = now;
        s->places[i].early_deaths = 0;
    }
    s->nplaces = nplaces;
}

void
supervisor_pause(struct supervisor *s)
{
    if (s->mode != SUPERVISOR_STOPPING)
        s->mode = SUPERVISOR_PAUSED;
}

void
supervisor_stop(struct supervisor *s)
{
    s->mode = SUPERVISOR_STOPPING;
}

void
supervisor_content(struct supervisor *s)
{
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state == CHILD_READY)
            s->slots[i].generation = s->generation;
    }
}

/* --- whom to raise --------------------------------------------------------------------- */

bool
supervisor_is_current(const struct supervisor *s, size_t slot)
{
    const struct supervisor_slot *sl = &s->slots[slot];

    return sl->state == CHILD_READY && sl->generation == s->generation && !sl->worn;
}

/* What the children of one place amount to. */
struct household {
    bool current;  /* one is as it should be */
    bool ready;    /* one serves, if only a stale one */
    bool starting; /* one is on its way */
};

struct census {
    struct household at[SUPERVISOR_PLACES];
    bool missing;   /* somewhere nobody serves */
    bool replacing; /* somewhere a successor is on its way */
    bool complete;  /* every place has a current child */
};

static void
take_census(const struct supervisor *s, struct census *c)
{
    size_t i;

    *c = (struct census){ .complete = true };
    for (i = 0; i < s->nslots; i++) {
        const struct supervisor_slot *sl = &s->slots[i];
        struct household *h = &c->at[sl->place];

        if (sl->state == CHILD_NONE)
            continue;
        h->current = h->current || supervisor_is_current(s, i);
        h->ready = h->ready || sl->state == CHILD_READY;
        h->starting = h->starting ||
                      (sl->state == CHILD_STARTING && sl->generation == s->generation);
    }
    for (i = 0; i < s->nplaces; i++) {
        c->missing = c->missing || !c->at[i].ready;
        c->replacing = c->replacing || (c->at[i].ready && c->at[i].starting);
        c->complete = c->complete && c->at[i].current;
    }
}

/* May somebody be raised for this place, once it is due?  Where nobody serves, always;
 * who serves well enough is replaced when there is no other trouble. */
static bool
place_is_open(const struct census *c, size_t place)
{
    const struct household *h = &c->at[place];

    if (h->current || h->starting)
        return false;
    return !h->ready || (!c->missing && !c->replacing);
}

static bool
empty_slot(const struct supervisor *s, size_t *slot)
{
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state == CHILD_NONE) {
            *slot = i;
            return true;
        }
    }
    return false;
}

bool
supervisor_next_birth(const struct supervisor *s, usec_t now,
                      struct supervisor_birth *out)
{
    struct census c;
    size_t i;

    if (s->mode != SUPERVISOR_RAISING || !empty_slot(s, &out->slot))
        return false;
    take_census(s, &c);
    for (i = 0; i < s->nplaces; i++) {
        if (place_is_open(&c, i) && s->places[i].due <= now) {
            out->place = i;
            return true;
        }
    }
    return false;
}

void
supervisor_spawned(struct supervisor *s, const struct supervisor_birth *birth, pid_t pid,
                   usec_t now)
{
    struct supervisor_slot *sl = &s->slots[birth->slot];

    assert(birth->slot < s->nslots && sl->state == CHILD_NONE && pid > 1);
    *sl = (struct supervisor_slot){ .state = CHILD_STARTING,
                                    .pid = pid,
                                    .place = birth->place,
                                    .generation = s->generation,
                                    .since = now };
}

static usec_t
place_delay(const struct supervisor *s, const struct supervisor_place *p, double chance)
{
    unsigned k =
        p->early_deaths - 1 < DOUBLINGS_MAX ? p->early_deaths - 1 : DOUBLINGS_MAX;
    usec_t delay = s->rules.respawn_min << k;

    if (delay > s->rules.respawn_max)
        delay = s->rules.respawn_max;
    return (usec_t)((double)delay * (0.8 + 0.4 * chance));
}

void
supervisor_not_spawned(struct supervisor *s, const struct supervisor_birth *birth,
                       usec_t now, double chance)
{
    struct supervisor_place *p = &s->places[birth->place];

    p->early_deaths++;
    p->due = now + place_delay(s, p, chance);
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

void
supervisor_wear(struct supervisor *s, size_t slot)
{
    s->slots[slot].worn = true;
}

/* --- whom to let go ---------------------------------------------------------------------- */

static bool
is_superfluous(const struct supervisor *s, const struct census *c, size_t slot)
{
    const struct supervisor_slot *sl = &s->slots[slot];
    bool paused = s->mode == SUPERVISOR_PAUSED;

    if (sl->state == CHILD_STARTING)
        return paused || sl->generation != s->generation || sl->place >= s->nplaces ||
               c->at[sl->place].current;
    if (sl->state != CHILD_READY)
        return false;
    if (paused || sl->place >= s->nplaces)
        return paused || c->complete;
    return !supervisor_is_current(s, slot) && c->at[sl->place].current;
}

long
supervisor_next_retiree(const struct supervisor *s)
{
    struct census c;
    size_t i;

    if (s->mode == SUPERVISOR_STOPPING)
        return -1;
    take_census(s, &c);
    for (i = 0; i < s->nslots; i++) {
        if (is_superfluous(s, &c, i))
            return (long)i;
    }
    return -1;
}

void
supervisor_retired(struct supervisor *s, size_t slot, usec_t now, usec_t until)
{
    struct supervisor_slot *sl = &s->slots[slot];

    assert(sl->state == CHILD_STARTING || sl->state == CHILD_READY);
    sl->state = CHILD_RETIRING;
    sl->since = now;
    sl->until = until;
}

long
supervisor_next_overdue(struct supervisor *s, usec_t now, usec_t grace)
{
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state == CHILD_RETIRING && s->slots[i].until <= now) {
            s->slots[i].until = now + grace;
            return (long)i;
        }
    }
    return -1;
}

bool
supervisor_settled(const struct supervisor *s)
{
    struct census c;

    take_census(s, &c);
    return s->mode == SUPERVISOR_RAISING && c.complete &&
           supervisor_next_retiree(s) == -1;
}

/* --- deaths -------------------------------------------------------------------------------- */

static struct supervisor_slot *
slot_of(const struct supervisor *s, pid_t pid)
{
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state != CHILD_NONE && s->slots[i].pid == pid)
            return &s->slots[i];
    }
    return NULL;
}

bool
supervisor_reaped(struct supervisor *s, pid_t pid, usec_t now, double chance,
                  struct supervisor_death *out)
{
    struct supervisor_slot *sl = slot_of(s, pid);
    struct supervisor_place *p;

    if (sl == NULL)
        return false;
    p = &s->places[sl->place];
    *out = (struct supervisor_death){
        .slot = (size_t)(sl - s->slots),
        .place = sl->place,
        .was = sl->state,
        .expected = sl->state == CHILD_RETIRING || s->mode == SUPERVISOR_STOPPING,
    };
    if (!out->expected) {
        bool healthy = sl->state == CHILD_READY && now - sl->since >= HEALTHY;

        p->early_deaths = healthy ? 0 : p->early_deaths + 1;
        out->restarts = ++p->restarts;
        out->delay = healthy ? 0 : place_delay(s, p, chance);
        p->due = now + out->delay;
        s->failures += !healthy && sl->generation == s->generation;
    }
    *sl = (struct supervisor_slot){ .state = CHILD_NONE };
    return true;
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

/* --- what there is --------------------------------------------------------------------------- */

/* The earlier of two times, 0 meaning never. */
static usec_t
earlier(usec_t a, usec_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

usec_t
supervisor_wakeup(const struct supervisor *s)
{
    struct census c;
    usec_t first = 0;
    size_t i;

    for (i = 0; i < s->nslots; i++) {
        if (s->slots[i].state == CHILD_STARTING)
            first = earlier(first, s->slots[i].since + s->rules.start_timeout);
        else if (s->slots[i].state == CHILD_RETIRING)
            first = earlier(first, s->slots[i].until);
    }
    if (s->mode != SUPERVISOR_RAISING || !empty_slot(s, &i))
        return first;
    take_census(s, &c);
    for (i = 0; i < s->nplaces; i++) {
        if (place_is_open(&c, i))
            first = earlier(first, s->places[i].due);
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
    return supervisor_count(s, CHILD_NONE) == s->nslots;
}
