/*
 * decode.c - the text a JSON string stands for.
 */
#include "server/item/decode.h"

#include <stdint.h>

#define REPLACEMENT 0xfffdu

/* What one escape stands for: at most four bytes of UTF-8. */
struct decoded {
    char bytes[4];
    size_t n;
};

static struct decoded
utf8_encode(uint32_t c)
{
    struct decoded d;

    if (c < 0x80) {
        d = (struct decoded){ { (char)c }, 1 };
    } else if (c < 0x800) {
        d = (struct decoded){ { (char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)) }, 2 };
    } else if (c < 0x10000) {
        d = (struct decoded){ { (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3f)),
                                (char)(0x80 | (c & 0x3f)) },
                              3 };
    } else {
        d = (struct decoded){ { (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3f)),
                                (char)(0x80 | (c >> 6 & 0x3f)),
                                (char)(0x80 | (c & 0x3f)) },
                              4 };
    }
    return d;
}

/* Takes four hexadecimal digits; what is not one counts as 0, what is not there ends. */
static uint32_t
take_hex(const char **p, const char *end)
{
    uint32_t value = 0;
    int i;

    for (i = 0; i < 4 && *p < end; i++, (*p)++) {
        char c = **p;

        value <<= 4;
        if (c >= '0' && c <= '9')
            value |= (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value |= (uint32_t)((c | 0x20) - 'a' + 10);
    }
    return value;
}

/* The character behind "\u", surrogates joined. */
static uint32_t
take_unicode(const char **p, const char *end)
{
    uint32_t first = take_hex(p, end), second;
    const char *behind;

    if (first < 0xd800 || first > 0xdfff)
        return first;
    if (first > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return REPLACEMENT;
    behind = *p + 2;
    second = take_hex(&behind, end);
    if (second < 0xdc00 || second > 0xdfff)
        return REPLACEMENT; /* the second one speaks for itself */
    *p = behind;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/* What stands behind a backslash; '*p' < 'end'. */
static struct decoded
take_escape(const char **p, const char *end)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = *(*p)++;
    const char *at;

    if (c == 'u')
        return utf8_encode(take_unicode(p, end));
    at = memchr(from, c, sizeof(from) - 1);
    return (struct decoded){ { at == NULL ? c : to[at - from] }, 1 };
}

/* Decodes to 'to', or only counts when that is NULL. */
static size_t
decode(char *to, struct span string)
{
    const char *p, *end, *escape;
    struct decoded d;
    size_t size = 0, n;

    if (string.n < 2)
        return 0;
    p = string.p + 1;
    end = string.p + string.n - 1;
    while (p < end) {
        escape = memchr(p, '\\', (size_t)(end - p));
        n = (size_t)((escape == NULL ? end : escape) - p);
        if (to != NULL)
            memcpy(to + size, p, n);
        size += n;
        p += n + 1;
        if (p >= end)
            break;
        d = take_escape(&p, end);
        if (to != NULL)
            memcpy(to + size, d.bytes, d.n);
        size += d.n;
    }
    return size;
}

size_t
json_decoded_size(struct span string)
{
    return decode(NULL, string);
}

void
json_append_decoded(struct buf *out, struct span string)
{
    char *to = buf_reserve(out, string.n);

    if (to != NULL)
        buf_commit(out, decode(to, string));
}
