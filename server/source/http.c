/*
 * http.c - an HTTP API as a source.
 */
#include "server/source/http.h"

#include "server/source/loader.h"

#include <assert.h>
#include <stdlib.h>

struct http {
    struct source source;
    const struct config_http *settings;
};

static enum source_state
http_state(const struct source *s)
{
    (void)s;
    return SOURCE_DOWN;
}

static bool
http_room(const struct source *s)
{
    (void)s;
    return false;
}

static size_t
http_batch_ids(const struct source *s)
{
    (void)s;
    return 1;
}

static void
http_fetch(struct source *s, struct batch *batch)
{
    (void)s;
    (void)batch;
    assert(!"down");
}

static enum source_key_verdict
http_key(const struct source *s, struct span key, char *id, size_t *id_len)
{
    (void)s;
    memcpy(id, key.p, key.n);
    *id_len = key.n;
    return key.n > 0 ? SOURCE_KEY_OK : SOURCE_KEY_BAD;
}

static bool
http_has_field(const struct source *s, struct span path)
{
    (void)s;
    (void)path;
    return true;
}

static void
http_describe(const struct source *s, struct buf *out)
{
    (void)s;
    BUF_APPEND_LIT(out, "state=down");
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

struct source *
http_open(struct event_base *base, const struct config *config, size_t which,
          struct metrics *metrics)
{
    struct http *h = calloc(1, sizeof(*h));

    (void)base;
    (void)metrics;
    if (h == NULL)
        return NULL;
    h->settings = &config->sources[which].http;
    h->source.ops = &http_ops;
    h->source.name = config->sources[which].name;
    h->source.key = "id";
    return &h->source;
}

void
http_close(struct source **source)
{
    if (*source == NULL)
        return;
    free(CONTAINER_OF(*source, struct http, source));
    *source = NULL;
}
