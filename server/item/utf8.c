/*
 * utf8.c - is this UTF-8?
 */
#include "server/item/utf8.h"

#include "common/scan.h"
#include "server/item/json.h"

bool
utf8_valid(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    const unsigned char *end = p == NULL ? p : p + s.n;

    while (p < end) {
        int n;

        if (end - p >= 8 && (scan_load(p) & SCAN_HIGH) == 0) {
            p += 8;
            continue;
        }
        if ((n = utf8_step(p, end)) < 0)
            return false;
        p += n;
    }
    return true;
}
