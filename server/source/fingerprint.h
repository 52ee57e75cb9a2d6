/*
 * fingerprint.h - what a source's items are kept under in the shared cache.
 *
 * Owns: a hash of a source's definition, the same in every worker and after a reload that
 * changes nothing about it.  Another definition is another fingerprint, so nobody is shown
 * what was fetched by the old one.
 */
#ifndef SERVER_SOURCE_FINGERPRINT_H
#define SERVER_SOURCE_FINGERPRINT_H

#include "common/buf.h"

#include <stdint.h>

struct fingerprint {
    struct buf text;
};

void fingerprint_begin(struct fingerprint *f, const char *kind);

/* A part of the definition; NULL and "" are the same. */
void fingerprint_add(struct fingerprint *f, const char *part);
void fingerprint_add_number(struct fingerprint *f, uint64_t part);

/* Never 0 but for want of memory: then nothing of the source is kept. */
uint64_t fingerprint_end(struct fingerprint *f);

#endif
