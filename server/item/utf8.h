/*
 * utf8.h - one UTF-8 character at a time.
 *
 * Owns: the table of well-formed byte sequences (Unicode 15, table 3-7).  Inside
 * server/item only; the judgement of a whole text is utf8_valid in json.h.
 */
#ifndef SERVER_ITEM_UTF8_H
#define SERVER_ITEM_UTF8_H

/* Looks at the character at 'p' < 'end'.  Positive: it is well-formed and so many
 * bytes long.  Negative: it is not, and the maximal ill-formed part, which becomes
 * one U+FFFD, is so many bytes long (Unicode 15, section 3.9, as browsers and
 * Python do it). */
static inline int
utf8_step(const unsigned char *p, const unsigned char *end)
{
    unsigned char c = *p, low = 0x80, high = 0xbf;
    int more, i;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return -1;
    if (c < 0xe0) {
        more = 1;
    } else if (c < 0xf0) {
        more = 2;
        low = c == 0xe0 ? 0xa0 : 0x80;  /* overlong */
        high = c == 0xed ? 0x9f : 0xbf; /* surrogates */
    } else {
        more = 3;
        low = c == 0xf0 ? 0x90 : 0x80;  /* overlong */
        high = c == 0xf4 ? 0x8f : 0xbf; /* past U+10FFFF */
    }
    for (i = 1; i <= more; i++) {
        if (end - p <= i || p[i] < low || p[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return more + 1;
}

#endif
