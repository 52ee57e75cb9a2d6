/*
 * request.c - one command on its way to its answer.
 *
 * One block holds it all:
 *     request | results | places | fields, args, keys | the bytes of them
 */
#include "server/worker/request.h"

#include "common/scan.h"
#include "server/source/view.h"
#include "server/worker/client.h"
#include "server/worker/lastwords.h"
#include "server/worker/state.h"

#include <assert.h>
#include <stdlib.h>

static size_t
words_bytes(const struct span *words, size_t n)
{
    size_t i, bytes = 0;

    for (i = 0; i < n; i++)
        bytes += words[i].n;
    return bytes;
}

static size_t
request_bytes(const struct command *c)
{
    return sizeof(struct request) +
           c->nkeys * (sizeof(struct item_result) + sizeof(struct request_place)) +
           (c->nfields + c->nargs + c->nkeys) * sizeof(struct span) +
           words_bytes(c->fields, c->nfields) + words_bytes(c->args, c->nargs) +
           words_bytes(c->keys, c->nkeys);
}

/* Copies the bytes of 'word' to '*to', moves that on and returns the copy. */
static struct span
keep_word(struct span word, char **to)
{
    struct span kept = span_of(*to, word.n);

    if (word.n > 0)
        *to = scan_copy(*to, word.p, word.n);
    return kept;
}

/* The words live on in the request, the input they came in does not. */
static void
request_keep_words(struct request *r, const struct command *c, struct span *lists)
{
    char *to = (char *)(lists + c->nfields + c->nargs + c->nkeys);
    size_t i;

    for (i = 0; i < c->nfields; i++)
        lists[i] = keep_word(c->fields[i], &to);
    r->command.fields = lists;
    lists += c->nfields;
    for (i = 0; i < c->nargs; i++)
        lists[i] = keep_word(c->args[i], &to);
    r->command.args = lists;
    lists += c->nargs;
    for (i = 0; i < c->nkeys; i++)
        lists[i] = keep_word(c->keys[i], &to);
    r->command.keys = lists;
}

void
request_open(struct request *r, size_t upto)
{
    for (; r->opened < upto; r->opened++) {
        struct request_place *place = &r->places[r->opened];

        r->results[r->opened] = (struct item_result){ .key = r->command.keys[r->opened] };
        place->waiter.want = NULL;
        place->waiter.answered = NULL;
        place->waiter.origin = ITEM_FROM_NOBODY;
        place->item = NULL;
        place->request = r;
    }
}

/* What only some requests need.  false: no memory. */
static bool
request_open_extras(struct request *r)
{
    if (r->command.trace && (r->traces = calloc(r->n + 1, sizeof(*r->traces))) == NULL)
        return false;
    if (r->command.as_done && (r->due = calloc(r->n + 1, sizeof(*r->due))) == NULL)
        return false;
    return true;
}

static void
request_close_extras(struct request *r)
{
    size_t i;

    for (i = 0; r->traces != NULL && i < r->n; i++)
        free(r->traces[i].missing);
    free(r->kept);
    free(r->traces);
    free(r->due);
}

void
request_count(const struct worker *w, const struct command *c)
{
    metrics_add(w->metrics, METRIC_commands, 1);
    if (c->kind == COMMAND_FETCH) {
        metrics_add(w->metrics, METRIC_requests, 1);
        metrics_add(w->metrics, METRIC_ids, c->nkeys);
    } else if (c->kind == COMMAND_ERROR && c->error != COMMAND_ERROR_BUSY) {
        metrics_add(w->metrics, METRIC_protocol_errors, 1);
    }
}

/* Counts what the request makes us hold until it is freed. */
static void
request_hold(struct request *r, size_t bytes)
{
    r->held += bytes;
    r->client->held += bytes;
    metrics_add(r->client->worker->metrics, METRIC_held_bytes, bytes);
}

struct request *
request_new(struct client *client, const struct command *command, usec_t now)
{
    struct worker *w = client->worker;
    size_t n = command->nkeys;
    unsigned ms =
        command->deadline_ms != 0 ? command->deadline_ms : w->config->deadline_ms;
    size_t bytes = request_bytes(command);
    struct request *r = malloc(bytes);

    if (r == NULL)
        return NULL;
    memset(r, 0, sizeof(*r));
    r->client = client;
    r->command = *command;
    r->arrived = now;
    r->n = r->open = n;
    r->results = (struct item_result *)(r + 1);
    r->places = (struct request_place *)(r->results + n);
    r->packs = r->packs_inline;
    r->packs_cap = REQUEST_PACKS_INLINE;
    if (!request_open_extras(r) || (n > 0 && heap_push(&w->deadlines, &r->deadline,
                                                       now + ms * USEC_PER_MSEC) == -1)) {
        request_close_extras(r);
        free(r);
        return NULL;
    }
    request_keep_words(r, command, (struct span *)(r->places + n));
    list_init(&r->in_client);
    list_init(&r->in_plan);
    list_append(command->tag_len == 0 ? &client->requests : &client->tagged,
                &r->in_client);
    client->nrequests++;
    client->nids += n;
    request_hold(r, bytes);
    request_count(w, command);
    lastwords_note(w->box, command, now);
    metrics_add(w->metrics, METRIC_inflight_requests, 1);
    r->complete = n == 0;
    r->answered = now;
    if (r->complete) {
        client_ready(client);
        return r;
    }
    list_append(&client->to_plan, &r->in_plan);
    if (!list_linked(&client->in_plan))
        list_append(&w->to_plan, &client->in_plan);
    return r;
}

static void
request_complete(struct request *r)
{
    struct worker *w = r->client->worker;

    assert(!r->complete && r->open == 0);
    r->complete = true;
    r->answered = clock_now();
    heap_remove(&w->deadlines, &r->deadline);
    list_remove(&r->in_plan);
    client_ready(r->client);
}

static bool
request_hold_pack(struct request *r, struct item_pack *pack)
{
    struct item_pack **bigger;
    size_t cap = r->packs_cap * 2;

    if (r->npacks > 0 && r->packs[r->npacks - 1] == pack)
        return true;
    if (r->npacks == r->packs_cap) {
        if ((bigger = malloc(cap * sizeof(struct item_pack *))) == NULL)
            return false;
        memcpy(bigger, r->packs, r->npacks * sizeof(struct item_pack *));
        if (r->packs != r->packs_inline)
            free(r->packs);
        r->packs = bigger;
        r->packs_cap = cap;
    }
    r->packs[r->npacks++] = item_pack_ref(pack);
    return true;
}

/* "stock:timeout,price:miss", to be freed; NULL: nothing is missing, or no memory to say
 * so. */
static char *
trace_missing(const struct view_item *item)
{
    struct buf text = BUF_INIT;
    char *missing;

    view_item_append_missing(item, &text);
    missing = buf_size(&text) == 0 ? NULL : strndup(text.data, buf_size(&text));
    buf_fini(&text);
    return missing;
}

static void
request_trace(struct request *r, size_t i)
{
    const struct worker *w = r->client->worker;
    struct span id;
    size_t which = sources_resolve(w, r->results[i].key, &id);

    r->traces[i].source = which == SOURCE_NONE ? "none" : w->sources[which]->name;
    r->traces[i].origin = (enum item_origin)r->places[i].waiter.origin;
    if (r->places[i].item != NULL && r->results[i].status != ITEM_MISS)
        r->traces[i].missing = trace_missing(r->places[i].item);
    r->traces[i].wait_us = (unsigned)(clock_now() - r->arrived);
}

void
request_answer(struct request *r, size_t i, enum item_status status)
{
    assert(r->results[i].status == ITEM_OPEN && status != ITEM_OPEN && r->open > 0);
    r->results[i].status = status;
    if (r->traces != NULL)
        request_trace(r, i);
    if (r->due != NULL) {
        r->due[r->ndue++] = (uint32_t)i;
        client_ready(r->client);
    }
    if (--r->open == 0)
        request_complete(r);
}

/* An item is there, in 'pack': it is held until it is shown, if there is room. */
static void
request_show(struct request *r, size_t i, enum item_status status, struct span json,
             struct item_pack *pack)
{
    const struct config *config = r->client->worker->config;

    r->bytes += json.n;
    if (r->bytes > config->reply_max_bytes) {
        request_answer(r, i, ITEM_FAIL_TOOBIG);
    } else if (r->client->held + json.n > config->output_hard_bytes ||
               !request_hold_pack(r, pack)) {
        /* unread output, though not written yet */
        request_answer(r, i, ITEM_FAIL_OVERLOAD);
    } else {
        r->results[i].json = json;
        request_hold(r, json.n);
        request_answer(r, i, status);
    }
}

void
request_fail(struct request *r, size_t i, enum item_status status)
{
    struct item_pack *pack = NULL;
    usec_t age;

    switch (look_rescue(r->client->worker, r->results[i].key, &r->command, clock_now(),
                        &pack, &age)) {
    case LOOKUP_STALE:
        r->places[i].waiter.origin = ITEM_FROM_STALE;
        r->results[i].age_ms = (unsigned)(age / USEC_PER_MSEC);
        request_show(r, i, ITEM_STALE, buf_span(&pack->bytes), pack);
        item_pack_unref(&pack);
        return;
    case LOOKUP_TOO_OLD:
        status = ITEM_FAIL_STALE;
        break;
    case LOOKUP_FRESH:
    case LOOKUP_ABSENT:
    case LOOKUP_NOTHING:
        break;
    }
    request_answer(r, i, status);
}

/* Failures that another moment would not have had. */
static bool
may_pass(enum item_status status)
{
    return item_failed(status) && status != ITEM_FAIL_BADID && status != ITEM_FAIL_TOOBIG;
}

void
request_on_answer(struct loader_waiter *w, enum item_status status, struct span json,
                  struct item_pack *pack)
{
    struct request_place *place = CONTAINER_OF(w, struct request_place, waiter);
    struct request *r = place->request;
    size_t i = (size_t)(place - r->places);

    if (item_present(status) && place->item != NULL && view_item_lacks(place->item) > 0)
        r->partial++;
    if (status == ITEM_STALE)
        r->results[i].age_ms = w->age_ms;
    if (item_present(status))
        request_show(r, i, status, json, pack);
    else if (may_pass(status))
        request_fail(r, i, status);
    else
        request_answer(r, i, status);
    view_item_free(&place->item);
}

/* The bytes are copied once more, out of the worker's buffer: the request must wait. */
void
request_take_look(struct request *r, const struct look *look,
                  const struct item_result *results)
{
    size_t first = r->looked, i;
    struct item_pack *pack = item_pack_new();

    request_open(r, r->looked += look->n);
    if (pack != NULL && look->known > 0)
        buf_append_span(&pack->bytes, buf_span(&look->bytes));
    for (i = 0; i < look->n; i++) {
        const struct item_result known = results[i]; /* may be of the same array */

        r->results[first + i].status = ITEM_OPEN;
        r->results[first + i].nmarks = 0;
        if (known.status == ITEM_OPEN || pack == NULL ||
            (item_present(known.status) && buf_failed(&pack->bytes)))
            continue; /* it is wanted, then */
        r->places[first + i].waiter.origin = look->from[i];
        r->results[first + i].age_ms = known.age_ms;
        r->results[first + i].nmarks = known.nmarks;
        if (item_present(known.status))
            request_show(r, first + i, known.status,
                         span_of(pack->bytes.data + look->off[i], known.json.n), pack);
        else if (may_pass(known.status))
            request_fail(r, first + i, known.status);
        else
            request_answer(r, first + i, known.status);
    }
    item_pack_unref(&pack);
}

/* How late its deadline came is counted when it is said; but where it waits for an earlier
 * answer or for its reader, now. */
static void
request_note_late(struct request *r)
{
    const struct client *c = r->client;

    r->expired = buf_size(&c->out) == 0 &&
                 (r->command.tag_len > 0 || c->requests.next == &r->in_client);
    if (!r->expired)
        deadlines_count(c->worker, r->deadline.at, r->answered);
}

void
request_expire(struct request *r)
{
    size_t i;

    request_open(r, r->n);
    for (i = 0; i < r->n; i++) {
        loader_cancel(&r->places[i].waiter);
        if (r->places[i].item != NULL)
            view_item_expire(r->places[i].item);
        else if (r->results[i].status == ITEM_OPEN)
            request_fail(r, i, ITEM_FAIL_TIMEOUT);
    }
    request_note_late(r);
    client_ready_first(r->client);
}

void
request_free(struct request *r)
{
    struct worker *w = r->client->worker;
    size_t i;

    if (!r->complete) {
        for (i = 0; i < r->opened; i++) {
            loader_cancel(&r->places[i].waiter);
            view_item_free(&r->places[i].item);
        }
        metrics_add(w->metrics, METRIC_abandoned, 1);
    }
    heap_remove(&w->deadlines, &r->deadline);
    list_remove(&r->in_plan);
    list_remove(&r->in_client);
    r->client->nrequests--;
    r->client->nids -= r->n;
    r->client->held -= r->held;
    metrics_sub(w->metrics, METRIC_held_bytes, r->held);
    metrics_sub(w->metrics, METRIC_inflight_requests, 1);
    for (i = 0; i < r->npacks; i++)
        item_pack_unref(&r->packs[i]);
    if (r->packs != r->packs_inline)
        free(r->packs);
    request_close_extras(r);
    free(r);
}
