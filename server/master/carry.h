/*
 * carry.h - what a master takes along into the program that replaces it.
 *
 * Owns: a text in a memfd, one line a fact, whose descriptor's number is in an environment
 * variable across execve(2); and which descriptors stay open meanwhile.
 * Promise: a process that was not made by such an execve never believes such a text: it
 * holds the pid, and a pid is the same only in place.
 */
#ifndef SERVER_MASTER_CARRY_H
#define SERVER_MASTER_CARRY_H

#include "common/compiler.h"

#include <stdbool.h>

struct master;

/* The lines' meaning.  A program that knows another one cannot take over. */
#define CARRY_FORMAT 1

/* Set for "fetchd -t": could that program take over from one of this format? */
#define CARRY_CHECK_VARIABLE "FETCHD_TAKE_OVER"

/* What it answers then, on a line of its own. */
#define CARRY_CHECK_ANSWER "fetchd: ready to take over"

/* In a program that was just started: the descriptor of what was carried along, or -1.
 * Takes the variable away; call once. */
int carry_find(void) MUST_CHECK;

/* Writes everything down and keeps the descriptors open on exec.  -1 with errno. */
int carry_save(struct master *m) MUST_CHECK;

/* Takes that back: the exec failed. */
void carry_undo(struct master *m, int fd);

/* Fills a fresh master, whose supervisor and controls are there, and closes 'fd'.
 * false: logged; there is nothing to go on with. */
bool carry_restore(struct master *m, int fd) MUST_CHECK;

#endif
