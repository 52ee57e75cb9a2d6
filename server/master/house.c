/*
 * house.c - what others see of a master: files, service manager, queues.
 */
#include "server/master/house.h"

#include "common/process.h"
#include "server/stats/scoreboard.h"

#include <unistd.h>

int
house_open(struct house *h, const char *pid_file)
{
    notify_open(&h->notify);
    return premises_open(&h->premises, pid_file);
}

void
house_save(struct house *h, bool keep, struct buf *out)
{
    premises_save(&h->premises, keep, out);
    if (keep)
        notify_export(&h->notify);
    else
        notify_withdraw();
}

int
house_restore(struct house *h, const char *pid_file, const char *word)
{
    notify_open(&h->notify);
    return premises_restore(&h->premises, pid_file, word);
}

void
house_close(struct house *h)
{
    premises_close(&h->premises);
    notify_close(&h->notify);
}

void
house_forsake(struct house *h)
{
    premises_forsake(&h->premises);
    notify_close(&h->notify);
}

void
house_keep(struct house *h, const struct house_facts *facts, usec_t now)
{
    premises_look(&h->premises, now);
    queue_look(&h->queue, facts->listen_fds, facts->nlisten, facts->board, now);
    process_title("fetchd: master (%s: %zu of %zu workers)", facts->doing, facts->ready,
                  facts->wanted);
    notify_status(&h->notify, "%s: %zu of %zu workers", facts->doing, facts->ready,
                  facts->wanted);
    /* Who paused it does not want it restarted. */
    notify_tick(&h->notify, now,
                facts->paused ||
                    scoreboard_alive(facts->board, now, NOTIFY_HEART_WITHIN));
}

bool
house_command(struct house *h, const struct house_facts *facts, enum command_verb *verb,
              unsigned *who)
{
    while (commands_next(h->premises.commands, verb, who)) {
        if (*verb != COMMAND_STATUS)
            return true;
        commands_answer(h->premises.commands, *who, COMMAND_DONE,
                        "%s pid=%d workers=%zu/%zu version=" FETCHD_VERSION, facts->doing,
                        (int)getpid(), facts->ready, facts->wanted);
    }
    return false;
}

usec_t
house_wakeup(const struct house *h)
{
    return notify_wakeup(&h->notify);
}
