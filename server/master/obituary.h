/*
 * obituary.h - how a child ended, in words.
 */
#ifndef SERVER_MASTER_OBITUARY_H
#define SERVER_MASTER_OBITUARY_H

#include "server/stats/blackbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* "signal=9 (Killed)" or "exit=1" from a wait status into 'out'; returns 'out'. */
const char *obituary(int wait_status, char *out, size_t size);

/* Logs what the black box of a dead worker holds, and empties it; its addresses have names
 * if it was of this 'same' program. */
void obituary_last_words(struct blackbox *box, size_t slot, pid_t pid, bool same);

#endif
