/*
 * deck.h - which items to ask for, request by request.
 *
 * Owns: some millions of ids, drawn before the clock starts and dealt again from the
 * top when they are used up, so that drawing costs the measured time nothing.  The same
 * plan deals the same ids in every run and to every server.
 */
#ifndef TESTS_LOAD_DECK_H
#define TESTS_LOAD_DECK_H

#include "common/compiler.h"
#include "tests/load/plan.h"

#include <stddef.h>
#include <stdint.h>

struct deck;

/* Draws for this plan.  The ids of one request are distinct.  NULL: no memory. */
struct deck *deck_new(const struct plan *plan) MUST_CHECK;
void deck_free(struct deck **deck);

/* The next request's plan->ids ids, lent until deck_free. */
const uint32_t *deck_deal(struct deck *deck);

/* How many requests are in the deck: a sweep is over after so many. */
size_t deck_requests(const struct deck *deck);

#endif
