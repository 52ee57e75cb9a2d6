/*
 * hits.c - requests that need nobody.
 *
 *     parse -> look_up -> reply          all of it inside the client's read event
 */
#include "server/worker/hits.h"

#include "server/worker/client.h"
#include "server/worker/request.h"
#include "server/worker/state.h"

#include <stdlib.h>

/* What a line of a reply has beside its item: a word, a key, an end. */
#define LINE_GUESS 32

/* Is it simple enough, and is it its turn? */
static bool
hits_may_answer(const struct client *c, const struct command *command)
{
    return command->kind == COMMAND_FETCH && command->nkeys <= LOOK_MAX &&
           !command->trace && !command->fresh && c->saying == NULL &&
           (command->tag_len > 0 || list_empty(&c->requests));
}

/* At once what the reply takes, about: growing by doubling would copy it twice over.  If
 * there is no memory the reply itself will say so. */
static void
hits_make_room(struct client *c, const struct look *look)
{
    char *room = buf_reserve(&c->out, buf_size(&look->bytes) + look->n * LINE_GUESS);

    (void)room;
}

bool
hits_answer(struct client *c, const struct command *command, usec_t now)
{
    struct worker *w = c->worker;
    size_t n = command->nkeys, reply_end, i;
    struct reply reply;
    void *kept = NULL;

    w->look.n = 0;
    if (!hits_may_answer(c, command))
        return false;
    for (i = 0; i < n; i++)
        w->hits[i] = (struct item_result){ .key = command->keys[i] };
    look_up(w, &w->look, w->hits, n, command, now);
    if (w->look.known < n || buf_size(&w->look.bytes) > w->config->reply_max_bytes)
        return false;
    hits_make_room(c, &w->look);
    request_count(w, command);
    request_count_fates(w, command, w->hits, n);
    request_reply(c, &reply, w->hits, n);
    reply.last = reply_end = n;
    reply.next = &reply_end;
    reply.kept = &kept;
    reply.elapsed = clock_now() - now;
    command->answer(&c->out, command, &reply);
    free(kept);
    c->heard = now;
    client_ready(c);
    return true;
}
