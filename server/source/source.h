/*
 * source.h - where items come from, behind one table of functions.
 *
 * Owns: the contract between the loader and a source.  A source turns batches of ids
 * into items; it knows neither clients nor requests.
 *
 *     loader --source_fetch(batch)--> source ... later, from the loop ...
 *     loader <--batch_item / batch_fail, then batch_done-- source
 *
 * Promises of every source: batch_done is called exactly once for each batch and never
 * inside source_fetch; a batch accounts for every id (what was neither found nor failed
 * when it is done is a MISS).
 */
#ifndef SERVER_SOURCE_SOURCE_H
#define SERVER_SOURCE_SOURCE_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/span.h"
#include "server/item/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest key a client may send, and the longest id that comes of it. */
#define SOURCE_KEY_MAX 250

enum source_state {
    SOURCE_UP,      /* takes batches, when it has room */
    SOURCE_PENDING, /* just lost or not ready yet: wants wait for its next word */
    SOURCE_DOWN,    /* wants fail at once */
};

enum source_key_verdict {
    SOURCE_KEY_OK,
    SOURCE_KEY_BAD,     /* not a value of the key's type */
    SOURCE_KEY_ABSENT,  /* well-formed, but outside the type's range: a sure MISS */
    SOURCE_KEY_UNKNOWN, /* the source was never reached: its key's type is not known */
};

struct source;
struct batch;

struct source_ops {
    const char *kind; /* "table", "http", "view" */
    /* What is said of an id when the source as a whole cannot tell. */
    enum item_status failure;
    enum source_state (*state)(const struct source *s);
    /* A view has no batches of its own: the next three are NULL (see view.h). */
    /* Room for one more batch now?  Only asked while SOURCE_UP. */
    bool (*room)(const struct source *s);
    /* Ids that the next batch should hold at most, by their expected bytes. */
    size_t (*batch_ids)(const struct source *s);
    /* Takes the batch. */
    void (*fetch)(struct source *s, struct batch *batch);
    /* Brings 'key' into the form in which ids are compared and asked: 'id' holds
     * SOURCE_KEY_MAX bytes.  "007" becomes "7" for an integer key. */
    enum source_key_verdict (*key)(const struct source *s, struct span key, char *id,
                                   size_t *id_len);
    /* Could its items have this field?  A path's first name counts.  Everything could,
     * while the source was never reached. */
    bool (*has_field)(const struct source *s, struct span path);
    /* "state=ready kind=integer index=PRIMARY" or "state=broken reason=...", for people. */
    void (*describe)(const struct source *s, struct buf *out);
};

/* Who asks sources that have one statement at a time between them, so that everybody waits
 * for everybody's. */
struct source_crowd {
    usec_t small_until; /* somebody asked for few ids, lately */
    const void *small;  /* who did last, to be compared only */
    usec_t few_took;    /* a batch of few ids takes so long; 0: not known */
    uint64_t id_ns;     /* each id makes a batch so much longer; 0: not known */
};

/* The common beginning of every source. */
struct source {
    const struct source_ops *ops;
    const char *name;
    const char *key;            /* the name of the key, for people */
    struct source_crowd *crowd; /* NULL: its batches do not wait for each other */
    /* What its items are kept under in the shared cache: a hash of its definition, the
     * same in every worker.  0: nothing of it is kept. */
    uint64_t fingerprint;
    /* Of the form its items have now (the columns of the last result); 0: not known yet.
     * Kept items of another form are not shown. */
    uint64_t form;
};

static inline enum source_state
source_state(const struct source *s)
{
    return s->ops->state(s);
}

#endif
