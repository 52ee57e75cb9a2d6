/*
 * http.c - an HTTP API as a source.
 *
 * Owns: the connections of one worker to one API, kept alive and shared by its calls, at
 * most 'connections' of them.  Each source has its own: one that hangs holds nobody else
 * up.  What finds no connection free waits in the loader.
 */
#include "server/source/http.h"

#include "common/hash.h"
#include "server/source/http_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A connection that nobody used for so long is closed. */
#define IDLE_MAX (60 * USEC_PER_SEC)
#define TICK_S 10

/* Connections opened, and closed, in one turn of the loop: when 64 calls run into their
 * deadline together, opening and closing at once would take 2 ms, and all clients would
 * wait for it (measured: p99 three times as long). */
#define CONNECTS_A_TURN 2

static struct http *
http_of(struct source *s)
{
    return CONTAINER_OF(s, struct http, source);
}

static const struct http *
http_of_const(const struct source *s)
{
    return CONTAINER_OF(s, struct http, source);
}

/* --- connections -------------------------------------------------------------------- */

struct http_conn *
http_conn_take(struct http *h)
{
    struct list *node = list_pop(&h->idle);
    struct http_conn *c;

    if (node == NULL) {
        node = list_pop(&h->spare);
        if (h->connects_left > 0)
            h->connects_left--;
        event_active(&h->next_turn, EV_TIMEOUT, 1);
    }
    if (node != NULL) {
        c = CONTAINER_OF(node, struct http_conn, link);
    } else {
        if ((c = http_conn_new(&h->conns)) == NULL)
            return NULL;
        h->nconns++;
    }
    list_append(&h->busy, &c->link);
    h->nbusy++;
    return c;
}

void
http_conn_give(struct http *h, struct http_conn *c)
{
    bool keep = c->state == HTTP_CONN_IDLE && http_names_know(h->names, &c->addr);

    assert(h->nbusy > 0);
    list_remove(&c->link);
    c->user = NULL;
    if (c->state != HTTP_CONN_IDLE && c->state != HTTP_CONN_CLOSED) {
        list_append(&h->ending, &c->link);
        event_active(&h->next_turn, EV_TIMEOUT, 1);
        return;
    }
    h->nbusy--;
    if (keep) {
        c->idle_since = clock_now();
        list_prepend(&h->idle, &c->link);
        return;
    }
    http_conn_close(c);
    list_prepend(&h->spare, &c->link);
}

/* Closes up to 'n' of those that nobody waits for. */
static void
http_end_some(struct http *h, size_t n)
{
    struct list *node;

    while (n-- > 0 && (node = list_pop(&h->ending)) != NULL) {
        http_conn_close(CONTAINER_OF(node, struct http_conn, link));
        list_prepend(&h->spare, node);
        h->nbusy--;
    }
}

static void
http_on_next_turn(evutil_socket_t fd, short what, void *arg)
{
    struct http *h = arg;

    (void)fd;
    (void)what;
    h->connects_left = CONNECTS_A_TURN;
    http_end_some(h, CONNECTS_A_TURN);
    if (!list_empty(&h->ending))
        event_active(&h->next_turn, EV_TIMEOUT, 1);
}

static void
http_on_gone(struct http_conn *c)
{
    struct http *h = CONTAINER_OF(c->shared, struct http, conns);

    list_remove(&c->link);
    list_prepend(&h->spare, &c->link);
}

/* Closes idle connections: old ones, and those to addresses that the name has no more. */
static void
http_tidy(struct http *h)
{
    usec_t now = clock_now();
    struct list *node, *after;

    LIST_EACH_SAFE (node, after, &h->idle) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, link);

        if (now - c->idle_since < IDLE_MAX && http_names_know(h->names, &c->addr))
            continue;
        list_remove(node);
        http_conn_close(c);
        list_prepend(&h->spare, node);
    }
}

static void
http_on_names(void *arg)
{
    http_tidy(arg);
}

static void
http_on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_tidy(arg);
    http_call_spare(arg); /* may have failed for want of memory */
}

/* --- the source --------------------------------------------------------------------- */

static enum source_state
http_state(const struct source *s)
{
    const struct http *h = http_of_const(s);

    if (h->broken)
        return SOURCE_DOWN;
    if (http_names_count(h->names) == 0)
        return http_names_trouble(h->names) == NULL ? SOURCE_PENDING : SOURCE_DOWN;
    if (h->breaker.state == BREAKER_CLOSED || breaker_allows(&h->breaker, clock_now()))
        return SOURCE_UP;
    return SOURCE_DOWN;
}

static bool
http_room(const struct source *s)
{
    const struct http *h = http_of_const(s);

    return h->nbusy < h->settings->connections && !list_empty(&h->spare_calls) &&
           (!list_empty(&h->idle) || h->connects_left > 0);
}

static size_t
http_batch_ids(const struct source *s)
{
    const struct http *h = http_of_const(s);

    return h->settings->many ? h->settings->ids_max : 1;
}

static void
http_fetch(struct source *s, struct batch *batch)
{
    http_call_start(http_of(s), batch);
}

static enum source_key_verdict
http_key(const struct source *s, struct span key, char *id, size_t *id_len)
{
    const struct http *h = http_of_const(s);
    enum source_key_verdict verdict = key_canonical(&h->key_type, key, id, id_len);

    if (verdict == SOURCE_KEY_OK &&
        !http_template_takes(&h->request, span_of(id, *id_len)))
        return SOURCE_KEY_BAD;
    return verdict;
}

static bool
http_has_field(const struct source *s, struct span path)
{
    (void)s;
    (void)path;
    return true; /* an API has no dictionary to look it up in */
}

static void
http_describe(const struct source *s, struct buf *out)
{
    const struct http *h = http_of_const(s);
    const char *word = "ready", *trouble = h->trouble;

    if (h->broken) {
        word = "broken";
    } else if (http_names_count(h->names) == 0) {
        trouble = http_names_trouble(h->names);
        word = trouble == NULL ? "resolving" : "down";
    } else if (h->breaker.state != BREAKER_CLOSED) {
        word = "down";
    }
    /* The path and query are not shown: there may be keys in them. */
    buf_append_fmt(out, "state=%s kind=%s host=%s:%u breaker=%s p95_us=%llu", word,
                   key_kind_name(h->key_type.kind), h->settings->host, h->settings->port,
                   breaker_name(&h->breaker),
                   (unsigned long long)quantile_at(&h->took, 95, 1));
    if (trouble != NULL && trouble[0] != '\0')
        buf_append_fmt(out, " last_error=\"%s\"", trouble);
}

static const struct source_ops http_ops = {
    .kind = "http",
    .failure = ITEM_FAIL_UPSTREAM,
    .state = http_state,
    .room = http_room,
    .batch_ids = http_batch_ids,
    .fetch = http_fetch,
    .key = http_key,
    .has_field = http_has_field,
    .describe = http_describe,
};

/* --- identity ----------------------------------------------------------------------- */

static void
fingerprint_add(struct buf *text, const char *part)
{
    buf_append(text, part == NULL ? "" : part, part == NULL ? 1 : strlen(part) + 1);
}

/* Of all that decides what an id means to the API: headers and token too, as they may
 * choose a language or a tenant. */
static uint64_t
http_fingerprint(const struct config_http *s)
{
    static const struct hash_key fixed = { 0x68747470, 0x6b657073 };
    struct buf text = BUF_INIT;
    uint64_t fingerprint;
    size_t i;

    BUF_APPEND_LIT(&text, "http ");
    fingerprint_add(&text, s->url);
    fingerprint_add(&text, s->body);
    fingerprint_add(&text, s->key_type);
    fingerprint_add(&text, s->match);
    fingerprint_add(&text, s->items);
    fingerprint_add(&text, s->token);
    for (i = 0; i < s->headers.n; i++)
        fingerprint_add(&text, s->headers.v[i]);
    fingerprint = buf_failed(&text) ? 0 : hash_bytes(&fixed, buf_span(&text));
    if (text.data != NULL)
        explicit_bzero(text.data, text.cap);
    buf_fini(&text);
    return fingerprint;
}

/* --- birth and death ---------------------------------------------------------------- */

static void
http_set(struct http *h, struct event_base *base, const struct config *config,
         size_t which, struct metrics *metrics)
{
    const struct config_http *s = &config->sources[which].http;

    h->source.ops = &http_ops;
    h->source.name = config->sources[which].name;
    h->source.fingerprint = http_fingerprint(s);
    h->source.key = s->many ? s->match : "id";
    h->config = config;
    h->settings = s;
    h->base = base;
    h->metrics = metrics;
    h->key_type = (struct key_type){ .kind = KEY_TEXT };
    if (strcmp(s->key_type, "integer") == 0)
        h->key_type = (struct key_type){ .kind = KEY_INTEGER, .bits = 64 };
    h->retries = (struct http_budget){ s->retries, s->retries == 0 ? 0 : 100 };
    h->hedges = (struct http_budget){ s->hedges, s->hedges == 0 ? 0 : 100 };
    breaker_init(&h->breaker, s->breaker_failures, s->breaker_min_ms * USEC_PER_MSEC,
                 s->breaker_max_ms * USEC_PER_MSEC);
    list_init(&h->idle);
    list_init(&h->spare);
    list_init(&h->busy);
    list_init(&h->ending);
    h->connects_left = CONNECTS_A_TURN;
    list_init(&h->calls);
    list_init(&h->spare_calls);
    buf_init(&h->scratch, 0);
}

static bool
http_set_conns(struct http *h)
{
    const struct config_http *s = h->settings;

    h->conns = (struct http_conns){
        .base = h->base,
        .names = h->names,
        .tls = h->tls,
        .metrics = h->metrics,
        .connect_timeout = s->connect_timeout_ms * USEC_PER_MSEC,
        .header_max = s->header_max_bytes,
        .body_max = s->answer_max_bytes,
        .read_buffer = malloc(HTTP_READ_BYTES),
        .ended = http_call_on_ended,
        .gone = http_on_gone,
    };
    return h->conns.read_buffer != NULL;
}

struct source *
http_open(struct event_base *base, const struct config *config, size_t which,
          struct metrics *metrics, struct buf *error)
{
    const struct config_http *s = &config->sources[which].http;
    struct http *h = calloc(1, sizeof(*h));
    const struct timeval tick = { TICK_S, 0 };
    struct source *source;

    if (h == NULL)
        return NULL;
    source = &h->source;
    http_set(h, base, config, which, metrics);
    event_assign(&h->tick, base, -1, EV_PERSIST, http_on_tick, h);
    evtimer_assign(&h->next_turn, base, http_on_next_turn, h);
    h->names = http_names_new(base, s->host, s->port, s->refresh_ms * USEC_PER_MSEC,
                              http_on_names, h);
    if (s->tls) {
        h->tls = http_tls_new(s->host, s->ca_file, s->verify != SWITCH_NO, error);
        h->broken = h->tls == NULL;
        if (h->broken)
            snprintf(h->trouble, sizeof(h->trouble), "%.*s", SPAN_FMT(buf_span(error)));
    }
    if (h->names == NULL || !http_template_init(&h->request, s) || !http_set_conns(h) ||
        !http_call_spare(h) || event_add(&h->tick, &tick) == -1)
        http_close(&source);
    return source;
}

static void
free_conns(struct http *h, struct list *list)
{
    struct list *node;

    while ((node = list_pop(list)) != NULL) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, link);

        http_conn_free(&c);
        h->nconns--;
    }
}

void
http_close(struct source **source)
{
    struct http *h;

    if (*source == NULL)
        return;
    h = http_of(*source);
    http_calls_end(h);
    http_end_some(h, h->nconns);
    free_conns(h, &h->idle);
    free_conns(h, &h->spare);
    assert(h->nconns == 0);
    event_del(&h->tick);
    event_del(&h->next_turn);
    http_names_free(&h->names);
    http_tls_free(&h->tls);
    http_template_fini(&h->request);
    buf_fini(&h->scratch);
    free(h->conns.read_buffer);
    free(h);
    *source = NULL;
}
