/*
 * scan.h - a look over the file's text before libconfuse parses it.
 *
 * Owns: what libconfuse 3.3 does not refuse or does not say.  It accepts a section
 * left open at the end of the file, cuts a string at an escaped NUL, lets a string
 * with a missing quote swallow the lines up to the next one, skips characters it
 * does not know, trips over comments between values, and counts a line too many
 * for each C comment (all measured).
 * Promise: text that passed has balanced braces and quotes, no comments, and as
 * many lines as before.
 */
#ifndef SERVER_CONFIG_SCAN_H
#define SERVER_CONFIG_SCAN_H

#include "common/buf.h"
#include "common/compiler.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

/* Where a section begins: the two words before its brace.  Without a title, 'title'
 * is the section's name and 'name' whatever stood before.  Both borrow the text. */
struct scan_section {
    unsigned line;
    struct span name;
    struct span title;
};

/* A name before '=' in a section whose names are the user's own. */
struct scan_pair {
    size_t section; /* which of the sections */
    unsigned line;
    struct span name; /* borrows the text */
};

struct scan {
    struct scan_section *sections;
    size_t nsections;
    struct scan_pair *pairs;
    size_t npairs;
    bool empty; /* nothing but blanks and comments */
};

/* Blanks the comments of 'text' in place.  false: 'error' holds "PATH:LINE: ...".
 * Release with scan_fini in either case. */
bool scan_text(struct scan *s, char *text, size_t n, const char *path, struct buf *error)
    MUST_CHECK;

void scan_fini(struct scan *s);

#endif
