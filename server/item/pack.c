/*
 * pack.c - the items of one batch, in one block of memory.
 */
#include "server/item/pack.h"

#include <assert.h>
#include <stdlib.h>

struct item_pack *
item_pack_new(void)
{
    struct item_pack *pack = malloc(sizeof(*pack));

    if (pack == NULL)
        return NULL;
    buf_init(&pack->bytes, 0);
    pack->refs = 1;
    return pack;
}

struct item_pack *
item_pack_ref(struct item_pack *pack)
{
    pack->refs++;
    return pack;
}

void
item_pack_unref(struct item_pack **pack)
{
    if (*pack == NULL)
        return;
    assert((*pack)->refs > 0);
    if (--(*pack)->refs == 0) {
        buf_fini(&(*pack)->bytes);
        free(*pack);
    }
    *pack = NULL;
}
