/*
 * obituary.c - how a child ended, in words.
 */
#include "server/master/obituary.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *
obituary(int wait_status, char *out, size_t size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(out, size, "signal=%d (%s%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)),
                 WCOREDUMP(wait_status) ? ", core dumped" : "");
    else
        snprintf(out, size, "exit=%d", WEXITSTATUS(wait_status));
    return out;
}
