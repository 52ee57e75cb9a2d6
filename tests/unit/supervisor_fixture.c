/*
 * supervisor_fixture.c - children that are born, get ready and die on command.
 */
#include "tests/unit/supervisor_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

const struct supervisor_rules supervisor_fixture_rules = {
    .respawn_min = 100 * MS,
    .respawn_max = 10000 * MS,
    .start_timeout = 30000 * MS,
    .hang_timeout = 10000 * MS,
};

int
supervisor_fixture_setup(void **state)
{
    struct supervisor *s = calloc(1, sizeof(*s));

    *state = s;
    if (s == NULL || supervisor_init(s, SLOTS, &supervisor_fixture_rules) == -1)
        return -1;
    supervisor_turn(s, 1, PLACES, START);
    return 0;
}

int
supervisor_fixture_teardown(void **state)
{
    supervisor_fini(*state);
    free(*state);
    return 0;
}

long
raise_next(struct supervisor *s, usec_t now)
{
    struct supervisor_birth birth;

    if (!supervisor_next_birth(s, now, &birth))
        return -1;
    supervisor_spawned(s, &birth, (pid_t)(1000 + birth.slot), now);
    return (long)birth.slot;
}

void
raise_all(struct supervisor *s, usec_t now)
{
    long slot;

    while ((slot = raise_next(s, now)) != -1)
        supervisor_ready(s, (size_t)slot, now);
}

struct supervisor_death
reap(struct supervisor *s, size_t slot, usec_t now, double chance)
{
    struct supervisor_death death;

    assert_true(supervisor_reaped(s, (pid_t)(1000 + slot), now, chance, &death));
    assert_int_equal(death.slot, slot);
    return death;
}

unsigned
retire_all(struct supervisor *s, usec_t now)
{
    unsigned n = 0;
    long slot;

    while ((slot = supervisor_next_retiree(s)) != -1) {
        supervisor_retired(s, (size_t)slot, now, now + 10 * USEC_PER_SEC);
        n++;
    }
    return n;
}
