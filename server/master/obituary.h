/*
 * obituary.h - how a child ended, in words.
 */
#ifndef SERVER_MASTER_OBITUARY_H
#define SERVER_MASTER_OBITUARY_H

#include <stddef.h>

/* "signal=9 (Killed)" or "exit=1" from a wait status into 'out'; returns 'out'. */
const char *obituary(int wait_status, char *out, size_t size);

#endif
