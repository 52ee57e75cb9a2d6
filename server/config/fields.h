/*
 * fields.h - the struct's members, reached through the option table.
 *
 * Owns: conversion of one text into the member that a row describes, and back;
 * defaults and freeing of a whole section.
 * Never knows: where a text came from.
 */
#ifndef SERVER_CONFIG_FIELDS_H
#define SERVER_CONFIG_FIELDS_H

#include "common/buf.h"
#include "common/compiler.h"
#include "server/config/options.h"

#include <stdbool.h>

/* 'base' is the struct that holds the members of the section. */

/* Converts and stores; 'more' adds to a list.  false: 'why' got
 * 'expected ..., got "..."' (without what was got, for a secret). */
bool field_set(const struct option *o, void *base, const char *value, bool more,
               struct buf *why) MUST_CHECK;

/* Every option of a section to its default.  false: no memory. */
bool fields_default(enum section section, void *base) MUST_CHECK;

/* Frees what the members of a section own; secrets are wiped first. */
void fields_free(enum section section, void *base);

/* The member in the file's syntax: a number, a quoted text or a list; a secret
 * that is set as "***". */
void field_append(const struct option *o, const void *base, struct buf *out);

#endif
