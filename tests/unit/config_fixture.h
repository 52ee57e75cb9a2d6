/*
 * config_fixture.h - a directory of files to load configurations from.
 */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include "common/buf.h"
#include "server/config/config.h"

struct fixture {
    char dir[64];
    char file[96]; /* what fixture_load reads */
    struct buf error;
};

/* cmocka setup and teardown: a directory of its own, removed with all it holds. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Writes a file of the directory, mode 600; returns its path, valid until the next
 * call. */
const char *fixture_write(struct fixture *f, const char *name, const char *text);

/* Loads 'text' as a file, with overrides or NULL. */
struct config *fixture_load_with(struct fixture *f, const char *text,
                                 const struct config_overrides *over);
struct config *fixture_load(struct fixture *f, const char *text);

/* The last error as a string. */
const char *fixture_error(struct fixture *f);

/* Fails the test unless 'text' loads; the caller frees. */
struct config *fixture_accepts(struct fixture *f, const char *text);

/* Fails the test unless 'text' is refused with exactly "FILE" + 'error'. */
void fixture_refuses(struct fixture *f, const char *text, const char *error);

/* The smallest text that loads, for tests about other things: append to it. */
#define FIXTURE_BASE                        \
    "database main { schema = \"shop\" }\n" \
    "source items { table = \"items\" }\n"

#endif
