/*
 * secret.c - the password that comes through the environment.
 *
 * The kernel shows the environment block of a process in /proc/PID/environ, to its
 * user and to root, for as long as it runs, and every child inherits it.
 */
#include "server/config/secret.h"

#include "server/config/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The environment is the process's, and so is what is left of it: the one copy
 * from which a reload takes the password. */
static char *remembered;

const char *
secret_password(void)
{
    const char *now = getenv(SECRET_VARIABLE);

    return now != NULL && now[0] != '\0' ? now : remembered;
}

bool
config_restore_environment(void)
{
    return remembered == NULL || setenv(SECRET_VARIABLE, remembered, 1) == 0;
}

void
config_wipe_environment(void)
{
    size_t i, n = strlen(SECRET_VARIABLE);
    const char *now = getenv(SECRET_VARIABLE);

    if (now == NULL)
        return;
    free(remembered);
    remembered = strdup(now);
    /* A variable may be there twice; getenv sees one, the kernel shows both. */
    for (i = 0; environ[i] != NULL; i++) {
        if (strncmp(environ[i], SECRET_VARIABLE, n) == 0 && environ[i][n] == '=')
            explicit_bzero(environ[i] + n + 1, strlen(environ[i] + n + 1));
    }
    unsetenv(SECRET_VARIABLE);
}
