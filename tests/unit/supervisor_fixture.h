/*
 * supervisor_fixture.h - children that are born, get ready and die on command.
 */
#ifndef TESTS_UNIT_SUPERVISOR_FIXTURE_H
#define TESTS_UNIT_SUPERVISOR_FIXTURE_H

#include "server/master/supervisor.h"

#define MS USEC_PER_MSEC
#define START (100 * USEC_PER_SEC)
#define SLOTS 7
#define PLACES 3
#define MIDDLE 0.5 /* the chance that changes nothing */

extern const struct supervisor_rules supervisor_fixture_rules;

/* A supervisor that wants PLACES children of generation 1. */
int supervisor_fixture_setup(void **state);
int supervisor_fixture_teardown(void **state);

/* The child that is to be raised now, born with pid 1000 + its slot; -1: none is. */
long raise_next(struct supervisor *s, usec_t now);

/* Every place gets a ready child. */
void raise_all(struct supervisor *s, usec_t now);

/* The child in this slot dies. */
struct supervisor_death reap(struct supervisor *s, size_t slot, usec_t now,
                             double chance);

/* Lets everybody retire who is to; returns how many. */
unsigned retire_all(struct supervisor *s, usec_t now);

#endif
