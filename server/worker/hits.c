/*
 * hits.c - requests that need nobody.
 *
 *     parse -> look_up -> reply          a large one, inside the client's read event
 *     parse -> look_begin                small ones, as they are read,
 *         look_near -> look_end -> reply     and all of them together
 *
 * Why together: a lookup waits 0.4 us for memory when it is alone (a million items, 4 KiB
 * pages), of 5.5 us that a fetch of one id takes in all.
 */
#include "server/worker/hits.h"

#include "server/worker/client.h"
#include "server/worker/request.h"
#include "server/worker/state.h"

#include <stdlib.h>

/* What a line of a reply has beside its item: a word, a key, an end. */
#define LINE_GUESS 32

/* Ids of a fetch that waits for others; more fill the memory's queues by themselves. */
#define SMALL (LOOK_GROUP / 2)

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

/* Answers what was asked at 'asked' from the look when that knows everything. */
static bool
hits_reply(struct client *c, const struct command *command,
           const struct item_result *results, usec_t asked, usec_t now)
{
    struct worker *w = c->worker;
    size_t n = command->nkeys, reply_end;
    struct reply reply;
    void *kept = NULL;

    if (w->look.known < n || buf_size(&w->look.bytes) > w->config->reply_max_bytes)
        return false;
    hits_make_room(c, &w->look);
    request_count(w, command);
    request_count_fates(w, command, results, n);
    request_reply(c, &reply, results, n);
    reply.last = reply_end = n;
    reply.next = &reply_end;
    reply.kept = &kept;
    reply.elapsed = now - asked;
    command->answer(&c->out, command, &reply);
    free(kept);
    c->heard = now;
    client_ready(c);
    return true;
}

bool
hits_answer(struct client *c, const struct command *command, usec_t now,
            struct item_result *results)
{
    struct worker *w = c->worker;
    size_t i;

    w->look.n = 0;
    if (!hits_may_answer(c, command))
        return false;
    for (i = 0; i < command->nkeys; i++)
        results[i] = (struct item_result){ .key = command->keys[i] };
    look_up(w, &w->look, results, command->nkeys, command, now);
    return hits_reply(c, command, results, now, clock_now());
}

/* --- together ---------------------------------------------------------------------- */

/* Is it small, and does it borrow from the input alone? */
static bool
hits_may_wait(const struct client *c, const struct command *command)
{
    const struct worker *w = c->worker;

    return w->heritage->cache != NULL && hits_may_answer(c, command) &&
           command->nkeys > 0 && command->nkeys <= SMALL && command->nfields == 0 &&
           command->nargs == 0 && buf_size(&w->parser.text) == 0;
}

bool
hits_wait(struct client *c, const struct command *command, usec_t now)
{
    struct worker *w = c->worker;
    struct hits *h = &w->hits;
    size_t n = command->nkeys, first, i;

    if (!hits_may_wait(c, command))
        return false;
    if (n > LOOK_GROUP - h->nplaces)
        hits_settle_all(w);
    first = h->nplaces;
    for (i = 0; i < n; i++) {
        h->keys[first + i] = command->keys[i];
        h->results[first + i] = (struct item_result){ .key = command->keys[i] };
    }
    look_begin(w, h->glances + first, h->results + first, n, command);
    h->waiting[h->n] = (struct hits_waiting){ c, *command, now, first };
    h->waiting[h->n++].command.keys = h->keys + first;
    h->nplaces += n;
    c->waits = true;
    c->nrequests++;
    return true;
}

static void
hits_stop_waiting(struct client *c)
{
    c->waits = false;
    c->nrequests--;
}

void
hits_forget(struct client *c)
{
    struct hits *h = &c->worker->hits;
    size_t i;

    for (i = h->settled; i < h->n; i++) {
        if (h->waiting[i].client == c) {
            h->waiting[i].client = NULL;
            hits_stop_waiting(c);
        }
    }
}

static void
hits_settle_one(struct worker *w, struct hits_waiting *one, usec_t now)
{
    struct client *c = one->client;
    struct item_result *results = w->hits.results + one->first;

    if (c == NULL)
        return;
    hits_stop_waiting(c);
    look_end(w, &w->look, w->hits.glances + one->first, results, one->command.nkeys,
             &one->command, one->now);
    if (hits_reply(c, &one->command, results, one->now, now))
        return;
    (void)client_request(c, &one->command, results, one->now);
    client_update_reading(c);
}

/* Brings near what is not yet, and settles up to the end, or until the share is over. */
static void
settle(struct worker *w, bool all)
{
    struct hits *h = &w->hits;
    usec_t now;

    look_near(h->glances + h->near, h->nplaces - h->near);
    h->near = h->nplaces;
    while (h->settled < h->n) {
        now = clock_now();
        if (!all && worker_share_over(w, now))
            return;
        hits_settle_one(w, &h->waiting[h->settled++], now);
    }
    h->n = h->settled = h->nplaces = h->near = 0;
    w->read_used = 0;
}

void
hits_settle(struct worker *w)
{
    settle(w, false);
}

void
hits_settle_all(struct worker *w)
{
    settle(w, true);
}

char *
hits_read_room(struct worker *w)
{
    if (w->read_used > WORKER_READ_BYTES)
        hits_settle_all(w);
    return w->read_buffer + w->read_used;
}
