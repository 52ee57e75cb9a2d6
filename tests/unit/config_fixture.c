/*
 * config_fixture.c - a directory of files to load configurations from.
 */
#include "tests/unit/config_fixture.h"

#include "common/log.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int
fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    /* Warnings about modes are tested by their effect: none. */
    log_init("test", LOG_LEVEL_ERROR);
    snprintf(f->dir, sizeof(f->dir), "/tmp/fetchd-test-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        free(f);
        return -1;
    }
    snprintf(f->file, sizeof(f->file), "%s/fetchd.conf", f->dir);
    *state = f;
    return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    int rc = nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);

    buf_fini(&f->error);
    free(f);
    return rc;
}

const char *
fixture_write(struct fixture *f, const char *name, const char *text)
{
    static char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

struct config *
fixture_load_with(struct fixture *f, const char *text,
                  const struct config_overrides *over)
{
    fixture_write(f, "fetchd.conf", text);
    return config_load(f->file, over, &f->error);
}

struct config *
fixture_load(struct fixture *f, const char *text)
{
    return fixture_load_with(f, text, NULL);
}

const char *
fixture_error(struct fixture *f)
{
    buf_append_char(&f->error, '\0');
    f->error.len--;
    return f->error.data;
}

struct config *
fixture_accepts(struct fixture *f, const char *text)
{
    struct config *c = fixture_load(f, text);

    if (c == NULL)
        fail_msg("refused: %s", fixture_error(f));
    return c;
}

void
fixture_refuses(struct fixture *f, const char *text, const char *error)
{
    struct config *c = fixture_load(f, text);
    char expected[1024];

    if (c != NULL)
        fail_msg("loaded, expected \"%s\"", error);
    snprintf(expected, sizeof(expected), "%s%s", f->file, error);
    assert_string_equal(fixture_error(f), expected);
}
