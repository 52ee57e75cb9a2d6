/*
 * resources.c - what a worker may use of the machine.
 */
#include "server/master/resources.h"

#include "common/log.h"
#include "server/config/config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int
resources_cpu(const int *allowed, size_t n, size_t place)
{
    return n == 0 ? -1 : allowed[place % n];
}

/* By place, not by pid: who follows a dead worker gets its processor (nginx once lost it
 * at a respawn). */
static void
bind_cpu(size_t place)
{
    int list[CPU_SETSIZE], cpu;
    size_t n = 0;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == -1) {
        log_warn("cpu_affinity: cannot see the processors: %s", strerror(errno));
        return;
    }
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set))
            list[n++] = cpu;
    }
    if ((cpu = resources_cpu(list, n, place)) == -1)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) == -1)
        log_warn("cpu_affinity: cannot stay on processor %d: %s; going without", cpu,
                 strerror(errno));
}

void
resources_bind(const struct config *config, size_t place)
{
    const struct rlimit core = { config->core_bytes, config->core_bytes };

    if (strcmp(config->cpu_affinity, "on") == 0)
        bind_cpu(place);
    if (setrlimit(RLIMIT_CORE, &core) == -1)
        log_warn("core: cannot allow %zu bytes: %s", config->core_bytes, strerror(errno));
}

void
resources_allow_core(const struct config *config)
{
    if (config->core_bytes > 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
        log_warn("core: cannot be made dumpable: %s", strerror(errno));
}
