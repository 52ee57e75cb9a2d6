/*
 * outcome.c - how the operator's wishes went.
 */
#include "server/master/outcome.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const wish_names[WISH_NWISHES] = {
    [WISH_RELOAD] = "reload",
    [WISH_UPGRADE] = "upgrade",
};

static const char *const verdict_names[] = {
    [OUTCOME_PENDING] = "pending",
    [OUTCOME_OK] = "ok",
    [OUTCOME_REFUSED] = "refused",
    [OUTCOME_ROLLED_BACK] = "rolled back",
};

unsigned
outcome_ask(struct outcomes *o, enum wish wish)
{
    return ++o->of[wish].asked;
}

bool
outcome_wanted(const struct outcomes *o, enum wish wish)
{
    return o->of[wish].begun < o->of[wish].asked;
}

void
outcome_begin(struct outcomes *o, enum wish wish)
{
    o->of[wish].begun = o->of[wish].asked;
}

bool
outcome_running(const struct outcomes *o, enum wish wish)
{
    return o->of[wish].settled < o->of[wish].begun;
}

void
outcome_settle(struct outcomes *o, enum wish wish, enum outcome_verdict verdict,
               const char *fmt, ...)
{
    struct outcome *one = &o->of[wish];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(one->text, sizeof(one->text), fmt, ap);
    va_end(ap);
    one->settled = one->begun;
    one->verdict = verdict;
}

enum outcome_verdict
outcome_of(const struct outcomes *o, enum wish wish, unsigned number, const char **text)
{
    const struct outcome *one = &o->of[wish];

    *text = "";
    if (number > one->settled)
        return OUTCOME_PENDING;
    *text = one->text;
    return one->verdict;
}

const char *
wish_name(enum wish wish)
{
    return wish_names[wish];
}

const char *
outcome_name(enum outcome_verdict verdict)
{
    return verdict_names[verdict];
}
