/*
 * handover.c - a session as another program may read it.
 */
#include "server/worker/handover.h"

#include <stdio.h>
#include <string.h>

uint32_t
handover_layout(void)
{
    const char *p = FETCHD_VERSION;
    uint32_t h = 0x811c9dc5u;

    /* FNV-1a: programs of one version agree, and so do their sizes. */
    for (; *p != '\0'; p++)
        h = (h ^ (uint32_t)(unsigned char)*p) * 0x01000193u;
    return (h ^ (uint32_t)sizeof(struct session)) * 0x01000193u;
}

static bool
session_at_rest(const struct session *s)
{
    return s->swallow == 0 && s->frame_at == 0 && s->frame_left == 0 &&
           s->frame_bulk == 0;
}

void
handover_put_session(const struct session *s, struct handover_head *head)
{
    head->layout = handover_layout();
    head->at_rest = session_at_rest(s);
    head->session_bytes = sizeof(*s);
    head->resp = s->resp;
    head->resp3 = s->resp3;
    head->id = s->id;
    memcpy(head->name, s->name, sizeof(head->name));
}

bool
handover_get_session(const struct handover_head *head, const char *whole,
                     struct session *out)
{
    if (head->layout == handover_layout() && head->session_bytes == sizeof(*out)) {
        memcpy(out, whole, sizeof(*out));
        return true;
    }
    /* What lies unread is looked through again from its beginning. */
    *out =
        (struct session){ .resp = head->resp != 0, .resp3 = head->resp3, .id = head->id };
    snprintf(out->name, sizeof(out->name), "%.*s", (int)sizeof(head->name) - 1,
             head->name);
    return head->at_rest != 0;
}
