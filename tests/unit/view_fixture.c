/*
 * view_fixture.c - views over sources that answer when the test says so.
 */
#include "tests/unit/view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATIENCE (100 * USEC_PER_MSEC)

static struct larder *
larder_of(const struct source *s)
{
    return CONTAINER_OF(s, struct larder, source);
}

static enum source_state
fake_state(const struct source *s)
{
    return larder_of(s)->state;
}

static bool
fake_room(const struct source *s)
{
    return larder_of(s)->nheld < KITCHEN_BATCHES;
}

static size_t
fake_batch_ids(const struct source *s)
{
    (void)s;
    return SIZE_MAX;
}

static void
fake_fetch(struct source *s, struct batch *batch)
{
    struct larder *l = larder_of(s);

    l->ids_asked += batch_size(batch);
    l->held[l->nheld++] = batch;
}

/* Digits without leading zeros, at most nine of them. */
static enum source_key_verdict
fake_key(const struct source *s, struct span key, char *id, size_t *id_len)
{
    size_t i;

    for (i = 0; !larder_of(s)->any_text && i < key.n; i++) {
        if (key.p[i] < '0' || key.p[i] > '9')
            return SOURCE_KEY_BAD;
    }
    while (!larder_of(s)->any_text && key.n > 1 && key.p[0] == '0')
        key = span_of(key.p + 1, key.n - 1);
    if (!larder_of(s)->any_text && key.n > 9)
        return SOURCE_KEY_ABSENT;
    memcpy(id, key.p, key.n);
    *id_len = key.n;
    return SOURCE_KEY_OK;
}

static bool
fake_has_field(const struct source *s, struct span path)
{
    const char *fields = larder_of(s)->fields, *at = fields;

    for (; at != NULL && (at = memmem(at, strlen(at), path.p, path.n)) != NULL; at++) {
        if ((at == fields || at[-1] == ' ') && (at[path.n] == ' ' || at[path.n] == '\0'))
            return true;
    }
    return fields == NULL;
}

static const struct source_ops fake_ops = {
    .kind = "fake",
    .failure = ITEM_FAIL_UPSTREAM,
    .state = fake_state,
    .room = fake_room,
    .batch_ids = fake_batch_ids,
    .fetch = fake_fetch,
    .key = fake_key,
    .has_field = fake_has_field,
};

int
kitchen_setup(void **state)
{
    static char names[][8] = { "items", "stock", "price", "vendors" };
    const struct loader_limits limits = { .max_batch = 4096 };
    struct kitchen *k = calloc(1, sizeof(*k));
    size_t i;

    if (k == NULL)
        return -1;
    k->now = clock_now();
    k->max_age = LOOKUP_ANY_AGE;
    k->config.sources = k->sources;
    k->config.nsources = NSHOPS;
    k->config.views = &k->view;
    k->config.nviews = 1;
    k->config.item_max_bytes = 4096;
    k->view.name = (char *)"product";
    k->view.parts = k->parts;
    for (i = 0; i < NSHOPS; i++) {
        k->sources[i].name = names[i];
        k->larders[i].source =
            (struct source){ .ops = &fake_ops, .name = names[i], .key = "id" };
        k->larders[i].fields = "";
        k->source_list[i] = &k->larders[i].source;
        k->loaders[i] = loader_new(k->source_list[i], &limits, &k->metrics);
        loader_flow_init(&k->flows[i]);
    }
    *state = k;
    return 0;
}

int
kitchen_teardown(void **state)
{
    struct kitchen *k = *state;
    size_t i;

    for (i = 0; i < k->nguests; i++) {
        view_item_free(&k->guests[i].item);
        item_pack_unref(&k->guests[i].held);
    }
    for (i = 0; i < NSHOPS; i++) {
        while (k->larders[i].nheld > 0)
            kitchen_done(k, (enum shop)i, BATCH_FAILED);
        loader_flow_fini(&k->flows[i]);
        loader_free(&k->loaders[i]);
    }
    assert_int_equal(views_due(k->views), 0);
    views_free(&k->views);
    assert_null(k->views);
    cache_free(&k->cache);
    assert_int_equal(metrics_get(&k->metrics, METRIC_queued_ids), 0);
    free(k);
    return 0;
}

struct config_part *
kitchen_part(struct kitchen *k, const char *name, enum shop source, bool required)
{
    struct config_part *p = &k->parts[k->view.nparts];

    *p = (struct config_part){
        .name = (char *)name,
        .source = k->sources[source].name,
        .source_index = source,
        .key = (char *)"id",
        .key_part = k->view.nparts,
        .merge = SWITCH_NO,
        .required = required ? SWITCH_YES : SWITCH_NO,
    };
    k->view.nparts++;
    return p;
}

void
kitchen_open(struct kitchen *k, int merged)
{
    k->view.merged = merged < 0 ? k->view.nparts : (size_t)merged;
    if (merged >= 0)
        k->parts[merged].merge = SWITCH_YES;
    k->views = views_new(&k->config, k->source_list, k->loaders, &k->metrics);
    assert_non_null(k->views);
}

struct kitchen *
kitchen_product(void **state)
{
    struct kitchen *k = *state;

    kitchen_part(k, "base", ITEMS, true);
    kitchen_part(k, "stock", STOCK, false);
    kitchen_part(k, "price", PRICE, false);
    kitchen_open(k, 0);
    return k;
}

void
kitchen_key(struct kitchen *k, struct config_part *p, size_t of, const char *path)
{
    assert_true(of < k->view.nparts);
    p->key_part = of;
    p->key_path = path;
}

void
kitchen_keep(struct kitchen *k, const struct lookup_policy *policy)
{
    size_t i;

    k->cache = cache_new(4 * CACHE_BYTES_MIN, 2);
    assert_non_null(k->cache);
    cache_join(k->cache, 0);
    for (i = 0; i < NSHOPS; i++) {
        k->source_list[i]->fingerprint = i + 1;
        lookup_init(&k->lookups[i], k->cache, k->source_list[i], policy);
        loader_use_lookup(k->loaders[i], &k->lookups[i]);
    }
}

void
kitchen_stock(struct kitchen *k, enum shop s, const char *id, const char *json,
              usec_t age)
{
    struct cache_key key;

    lookup_key(&k->lookups[s], span_str(id), &key);
    if (json == NULL)
        assert_int_equal(lookup_keep_absent(&k->lookups[s], &key, k->now - age),
                         LEASE_ABSENT);
    else
        assert_int_equal(lookup_keep(&k->lookups[s], &key, k->now - age, span_str(json)),
                         LEASE_STORED);
}

static void
on_answer(struct loader_waiter *w, enum item_status status, struct span json,
          struct item_pack *pack)
{
    struct guest *g = CONTAINER_OF(w, struct guest, waiter);
    struct buf missing = BUF_INIT;

    g->times++;
    g->status = status;
    assert_true(item_present(status) ? pack != NULL : pack == NULL && json.n == 0);
    g->bytes = json.p;
    if (g->hold && pack != NULL)
        g->held = item_pack_ref(pack);
    g->json_len = json.n;
    if (json.n < sizeof(g->json))
        memcpy(g->json, json.p == NULL ? "" : json.p, json.n);
    g->lacks = view_item_lacks(g->item);
    view_item_append_missing(g->item, &missing);
    snprintf(g->missing, sizeof(g->missing), "%.*s", SPAN_FMT(buf_span(&missing)));
    buf_fini(&missing);
    view_item_free(&g->item); /* as a request does */
}

struct guest *
kitchen_order_fields(struct kitchen *k, const char *id, const struct span *fields,
                     size_t n)
{
    struct guest *g = &k->guests[k->nguests++];
    const struct view_asker asker = { .flows = k->flows,
                                      .deadline = k->now + PATIENCE,
                                      .max_age = k->max_age,
                                      .fields = fields,
                                      .nfields = n };

    assert_true(k->nguests <= KITCHEN_GUESTS);
    g->waiter.answered = on_answer;
    g->item = view_item_new(views_source(k->views, 0), span_str(id), &asker, &g->waiter,
                            k->now);
    assert_non_null(g->item);
    assert_waits(g);
    return g;
}

struct guest *
kitchen_order(struct kitchen *k, const char *id)
{
    return kitchen_order_fields(k, id, NULL, 0);
}

void
kitchen_turn(struct kitchen *k)
{
    size_t i;

    do {
        for (i = 0; i < NSHOPS; i++)
            loader_flush(k->loaders[i]);
    } while (views_settle(k->views, k->now));
}

static size_t
place_of(const struct kitchen *k, enum shop s, const char *id)
{
    long place;

    assert_true(k->larders[s].nheld > 0);
    place = batch_find(k->larders[s].held[0], span_str(id));
    assert_true(place >= 0);
    return (size_t)place;
}

void
kitchen_serve(struct kitchen *k, enum shop s, const char *id, const char *json)
{
    size_t place = place_of(k, s, id), off;
    struct buf *bytes = batch_bytes(k->larders[s].held[0]);

    off = bytes->len;
    buf_append_span(bytes, span_str(json));
    batch_item(k->larders[s].held[0], place, off);
}

void
kitchen_spoil(struct kitchen *k, enum shop s, const char *id, enum item_status status)
{
    batch_fail(k->larders[s].held[0], place_of(k, s, id), status);
}

void
kitchen_done(struct kitchen *k, enum shop s, enum batch_outcome outcome)
{
    struct larder *l = &k->larders[s];
    struct batch *batch = l->held[0];

    assert_true(l->nheld > 0);
    l->nheld--;
    memmove(&l->held[0], &l->held[1], l->nheld * sizeof(l->held[0]));
    batch_done(batch, outcome, k->now);
    loader_settle(k->loaders[s], SIZE_MAX);
}

void
kitchen_deliver(struct kitchen *k, enum shop s, const char *id, const char *json)
{
    kitchen_serve(k, s, id, json);
    kitchen_done(k, s, BATCH_COMPLETE);
    kitchen_turn(k);
}

const char *
kitchen_asked(const struct kitchen *k, enum shop s)
{
    static char text[1000];
    size_t i, n = 0;

    text[0] = '\0';
    for (i = 0; k->larders[s].nheld > 0 && i < batch_size(k->larders[s].held[0]); i++) {
        struct span id = batch_id(k->larders[s].held[0], i);

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i > 0 ? " " : "",
                              SPAN_FMT(id));
        assert_true(n < sizeof(text));
    }
    return text;
}

void
assert_guest(const struct guest *g, enum item_status status)
{
    assert_int_equal(g->times, 1);
    assert_int_equal(g->status, status);
}

void
assert_item(const struct guest *g, const char *json)
{
    assert_guest(g, ITEM_FOUND);
    assert_string_equal(g->json, json);
}

void
assert_waits(const struct guest *g)
{
    assert_int_equal(g->times, 0);
    assert_non_null(g->item);
}
