/*
 * view_parts.h - views from the inside: what view.c (which views there are) and
 * view_part.c, view_item.c and view_answer.c (one item being put together, and told) share.
 */
#ifndef SERVER_SOURCE_VIEW_PARTS_H
#define SERVER_SOURCE_VIEW_PARTS_H

#include "common/list.h"
#include "server/source/view.h"

#include <stdint.h>

struct view_part {
    const struct config_part *settings;
    struct span name;
    struct source *source;
    struct loader *loader;
    struct list on_budget; /* item_parts; every one has the same budget, so in order */
    uint64_t left_out;     /* items of this worker told without it */
};

struct view {
    struct source source;
    struct views *views;
    const struct config_view *settings;
    struct view_part parts[CONFIG_PARTS_MAX];
    size_t n;
};

struct views {
    const struct config *config;
    struct metrics *metrics;
    struct list touched;     /* items of which something new is known */
    struct item_pack *known; /* of this turn's copies out of the cache; may be NULL */
    struct view *list;
    size_t n;
};

/* One part of one item. */
struct item_part {
    struct loader_waiter waiter;
    struct list in_budget; /* view_part.on_budget */
    usec_t due;
    struct view_item *item;
    enum item_status status; /* ITEM_OPEN until known */
    enum item_origin origin;
    unsigned age_ms; /* while it is stale */
    bool asked;
    bool skipped;           /* nobody wants to see it */
    struct item_pack *pack; /* a reference while it is present */
    size_t off;
    size_t len;
    char *id; /* to find an old copy by, where one may be shown; else NULL */
    size_t id_len;
};

struct view_item {
    struct list in_touched; /* views.touched */
    struct view *view;
    struct view_asker asker; /* its fields are not looked at after the beginning */
    struct loader_waiter *waiter;
    size_t off; /* in the pack it is composed into */
    size_t len;
    struct item_part parts[]; /* view.n */
};

static inline struct view_part *
part_kind(const struct item_part *p)
{
    return &p->item->view->parts[p - p->item->parts];
}

static inline bool
part_required(const struct item_part *p)
{
    return part_kind(p)->settings->required == SWITCH_YES;
}

/* The part that a path leads into, and the path from there on (NULL: the part itself);
 * the merged one for any other name.  view.n: there is no such part. */
size_t view_part_of(const struct view *v, struct span path, struct span *rest);

/* --- view_part.c --- */

/* Asks the part's source for 'key', if that is an id of it. */
void item_part_ask(struct item_part *part, struct span key, usec_t now);

/* The part is known now; the rest follows at the end of the turn. */
void item_part_known(struct item_part *part, enum item_status status);

/* The same when it failed or is late, unless an old copy may stand in for it. */
void item_part_failed(struct item_part *part, enum item_status status, usec_t now);

/* Its bytes; empty when it is not there.  Valid until more is looked up. */
struct span item_part_json(const struct item_part *part);

/* Nothing is waited for any more. */
void item_part_stop(struct item_part *part);
void item_part_free(struct item_part *part);

/* Bytes of 'known' are pointed to from now on: what follows goes elsewhere. */
void views_close_known(struct views *views);

/* --- view_item.c --- */

/* Asks for the parts whose keys are known by now; was there any? */
bool item_follow(struct view_item *item, usec_t now);

/* Nothing is waited for any more. */
void item_stop(struct view_item *item);

#endif
