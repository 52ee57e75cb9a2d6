/*
 * slurp.h - a whole small file in memory.
 */
#ifndef SERVER_CONFIG_SLURP_H
#define SERVER_CONFIG_SLURP_H

#include "common/buf.h"
#include "common/compiler.h"

#include <stdbool.h>
#include <sys/types.h>

/* Larger files are refused: nobody writes a configuration of that size. */
#define SLURP_MAX_BYTES (1 << 20)

/* Reads 'path' into 'text' and adds a NUL that is not counted.  'mode' gets the
 * file's permissions.  false: 'error' holds "cannot read PATH: reason". */
bool slurp(const char *path, struct buf *text, mode_t *mode, struct buf *error)
    MUST_CHECK;

/* Forgets the bytes, which may hold a password, and frees them. */
void slurp_fini(struct buf *text);

#endif
