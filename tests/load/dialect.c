/*
 * dialect.c - the languages the generator speaks, by name.
 */
#include "tests/load/dialect.h"

#include "common/compiler.h"

#include <string.h>

static const struct dialect *const dialects[] = {
    &dialect_native,
    &dialect_echo,
    &dialect_memcached,
    &dialect_resp,
};

const struct dialect *
dialect_find(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(dialects); i++) {
        if (strcmp(dialects[i]->name, name) == 0)
            return dialects[i];
    }
    return NULL;
}
