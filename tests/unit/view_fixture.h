/*
 * view_fixture.h - views over sources that answer when the test says so.
 *
 * Owns: a configuration with four sources (items, stock, price, vendors), a real loader
 * over a fake source for each, the views the test asks for, and waiters that note what
 * they hear.  Time is a number.
 */
#ifndef TESTS_UNIT_VIEW_FIXTURE_H
#define TESTS_UNIT_VIEW_FIXTURE_H

#include "server/source/lookup.h"
#include "server/source/view.h"

enum shop { ITEMS, STOCK, PRICE, VENDORS, NSHOPS };

#define KITCHEN_BATCHES 64
#define KITCHEN_GUESTS 2100

struct larder {
    struct source source;
    enum source_state state;
    bool any_text;      /* keys may be any text; else digits */
    const char *fields; /* "a b c": what has_field knows; NULL: could have any */
    struct batch *held[KITCHEN_BATCHES];
    size_t nheld;
    size_t ids_asked;
};

struct guest {
    struct loader_waiter waiter;
    struct view_item *item;
    unsigned times;
    enum item_status status;
    char json[400];
    size_t json_len;
    const char *bytes;
    bool hold; /* holds on to its bytes, as a request does */
    struct item_pack *held;
    size_t lacks;
    char missing[200];
};

struct kitchen {
    struct config config;
    struct config_source sources[NSHOPS];
    struct config_view view;
    struct config_part parts[NSHOPS];
    struct larder larders[NSHOPS];
    struct source *source_list[NSHOPS];
    struct loader *loaders[NSHOPS];
    struct loader_flow flows[NSHOPS];
    struct metrics metrics;
    struct views *views;
    struct cache *cache; /* NULL: nothing is kept */
    struct lookup lookups[NSHOPS];
    usec_t max_age; /* of what the next guest takes */
    struct guest guests[KITCHEN_GUESTS];
    size_t nguests;
    usec_t now;
};

int kitchen_setup(void **state);

/* Frees every item, gives up what is in flight and checks that nothing is left. */
int kitchen_teardown(void **state);

/* One part of the view; a key NULL is the id. */
struct config_part *kitchen_part(struct kitchen *k, const char *name, enum shop source,
                                 bool required);

/* The parts are said: 'merged' is one of them, or -1. */
void kitchen_open(struct kitchen *k, int merged);

/* "base", merged and required, of items; "stock" and "price" beside it. */
struct kitchen *kitchen_product(void **state);

/* The part's key is the field 'path' of the part 'of'. */
void kitchen_key(struct kitchen *k, struct config_part *p, size_t of, const char *path);

/* What sources say is kept from now on, all under the same policy. */
void kitchen_keep(struct kitchen *k, const struct lookup_policy *policy);

/* Something is kept since 'age'; NULL: that there is none. */
void kitchen_stock(struct kitchen *k, enum shop s, const char *id, const char *json,
                   usec_t age);

/* Asks for 'id' for a tenth of a second; nobody hears anything meanwhile. */
struct guest *kitchen_order(struct kitchen *k, const char *id);

/* The same with the paths that will be shown. */
struct guest *kitchen_order_fields(struct kitchen *k, const char *id,
                                   const struct span *fields, size_t n);

/* The end of a turn: loaders, then views, as often as the worker would. */
void kitchen_turn(struct kitchen *k);

/* In the oldest batch of a source: this id's item came, or failed alone. */
void kitchen_serve(struct kitchen *k, enum shop s, const char *id, const char *json);
void kitchen_spoil(struct kitchen *k, enum shop s, const char *id,
                   enum item_status status);

/* The oldest batch of a source is over. */
void kitchen_done(struct kitchen *k, enum shop s, enum batch_outcome outcome);

/* Its only item came, and the turn ends. */
void kitchen_deliver(struct kitchen *k, enum shop s, const char *id, const char *json);

/* The ids of the oldest batch, "7 8". */
const char *kitchen_asked(const struct kitchen *k, enum shop s);

void assert_guest(const struct guest *g, enum item_status status);
void assert_item(const struct guest *g, const char *json);
void assert_waits(const struct guest *g);

#endif
