/*
 * json_put.c - JSON values through a pointer.
 *
 * The common case is looked for first and costs one look at eight bytes: text that
 * is plain ASCII, numbers whose digits are JSON already.  All else is measured
 * before it is written, because an escape may be six times as long as its byte and
 * reserving for that would take six times the memory of every large text.
 */
#include "server/item/json_put.h"

#include "common/scan.h"
#include "server/item/utf8.h"

#include <stdint.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define REPLACEMENT_BYTES 3

/* The letter after the backslash, 'u' for \u00XX; 0: 'c' needs no escape. */
static inline char
escape_letter(unsigned char c)
{
    static const char controls[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

    if (c < 0x20)
        return controls[c];
    return c == '"' || c == '\\' ? (char)c : 0;
}

static inline bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t
put_plain_tail(char *to, const char *p, size_t i, size_t n)
{
    for (; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c >= 0x80 || escape_letter(c) != 0)
            break;
        to[i] = p[i];
    }
    return i;
}

size_t
json_put_plain(char *to, struct span s)
{
    uint64_t special;
    size_t i;

    if (s.n < 8) {
        if (s.n == 0 ||
            scan_special(scan_load_few(s.p, s.n) | SCAN_EVERY('a') << 8 * s.n) != 0)
            return put_plain_tail(to, s.p, 0, s.n);
        scan_copy(to, s.p, s.n);
        return s.n;
    }
    for (i = 0; i + 8 < s.n; i += 8) {
        special = scan_special(scan_load(s.p + i));
        memcpy(to + i, s.p + i, 8);
        if (unlikely(special != 0))
            return i + scan_first(special);
    }
    i = s.n - 8; /* the last word overlaps the one before */
    special = scan_special(scan_load(s.p + i));
    memcpy(to + i, s.p + i, 8);
    return likely(special == 0) ? s.n : i + scan_first(special);
}

struct json_text_size
json_text_size(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    struct json_text_size size = { s.n, true };

    while (p < end) {
        char letter;
        int n;

        if (end - p >= 8) {
            uint64_t special = scan_special(scan_load(p));

            p += special == 0 ? 8 : scan_first(special);
            if (special == 0)
                continue;
        }
        if (*p < 0x80) {
            if ((letter = escape_letter(*p++)) != 0) {
                size.bytes += letter == 'u' ? 5 : 1;
                size.as_is = false;
            }
        } else if ((n = utf8_step(p, end)) < 0) {
            size.bytes += (size_t)(REPLACEMENT_BYTES + n);
            size.as_is = false;
            p -= n;
        } else {
            p += n;
        }
    }
    return size;
}

static inline char *
put_ascii(char *to, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char letter = escape_letter(c);

    if (letter == 0) {
        *to++ = (char)c;
        return to;
    }
    *to++ = '\\';
    *to++ = letter;
    if (letter == 'u') {
        *to++ = '0';
        *to++ = '0';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    return to;
}

char *
json_put_text(char *to, struct span s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;

    while (p < end) {
        int n, i;

        if (end - p >= 8) {
            uint64_t special = scan_special(scan_load(p));
            size_t plain = special == 0 ? 8 : scan_first(special);

            memcpy(to, p, 8); /* fits: what is left never takes less than it has now */
            to += plain;
            p += plain;
            if (special == 0)
                continue;
        }
        if (*p < 0x80) {
            to = put_ascii(to, *p++);
        } else if ((n = utf8_step(p, end)) < 0) {
            memcpy(to, REPLACEMENT, REPLACEMENT_BYTES);
            to += REPLACEMENT_BYTES;
            p -= n;
        } else {
            for (i = 0; i < n; i++)
                *to++ = (char)*p++;
        }
    }
    return to;
}

char *
json_put_base64(char *to, struct span s)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789+/";
    const unsigned char *p = (const unsigned char *)s.p;
    size_t left = s.n;

    *to++ = '"';
    for (; left >= 3; left -= 3, p += 3) {
        uint32_t w = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

        *to++ = letters[w >> 18];
        *to++ = letters[w >> 12 & 63];
        *to++ = letters[w >> 6 & 63];
        *to++ = letters[w & 63];
    }
    if (left > 0) {
        uint32_t w = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);

        *to++ = letters[w >> 18];
        *to++ = letters[w >> 12 & 63];
        *to++ = left == 2 ? letters[w >> 6 & 63] : '=';
        *to++ = '=';
    }
    *to++ = '"';
    return to;
}

/* A number taken apart; 'whole' without needless zeros. */
struct number {
    bool minus;
    struct span whole;
    struct span fraction; /* without its point */
    struct span exponent; /* with its letter */
};

static struct span
take_digits(const char **p, const char *end)
{
    const char *from = *p;

    while (*p < end && is_digit(**p))
        ++*p;
    return span_of(from, (size_t)(*p - from));
}

static bool
number_parse(struct span s, struct number *n)
{
    const char *p = s.p, *end = s.n == 0 ? p : p + s.n;

    *n = (struct number){ false, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    if (p < end && (*p == '-' || *p == '+'))
        n->minus = *p++ == '-';
    n->whole = take_digits(&p, end);
    if (p < end && *p == '.') {
        p++;
        n->fraction = take_digits(&p, end);
    }
    if (n->whole.n + n->fraction.n == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        n->exponent.p = p++;
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (take_digits(&p, end).n == 0)
            return false;
        n->exponent.n = (size_t)(p - n->exponent.p);
    }
    if (n->whole.n == 0)
        n->whole = SPAN("0");
    for (; n->whole.n > 1 && n->whole.p[0] == '0'; n->whole.n--)
        n->whole.p++;
    return p == end;
}

size_t
json_number_size(struct span s)
{
    struct number n;

    if (!number_parse(s, &n))
        return 4;
    return (n.minus ? 1 : 0) + n.whole.n + (n.fraction.n > 0 ? 1 + n.fraction.n : 0) +
           n.exponent.n;
}

static char *
put_span(char *to, struct span s)
{
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static char *
put_number_parsed(char *to, struct span s)
{
    struct number n;

    if (!number_parse(s, &n))
        return put_span(to, SPAN("null"));
    if (n.minus)
        *to++ = '-';
    to = put_span(to, n.whole);
    if (n.fraction.n > 0) {
        *to++ = '.';
        to = put_span(to, n.fraction);
    }
    return put_span(to, n.exponent);
}

/* An integer's digits are JSON already unless there is a zero or a sign too many;
 * only what is not so plain is taken apart. */
char *
json_put_number(char *to, struct span s)
{
    size_t sign = s.n > 1 && s.p[0] == '-' ? 1 : 0;

    if (s.n - sign == 1 && is_digit(s.p[sign])) {
        to[0] = s.p[0];
        to[sign] = s.p[sign];
        return to + s.n;
    }
    if (likely(s.n > 1 && s.p[sign] >= '1' && scan_all_digits(s.p + sign, s.n - sign))) {
        return scan_copy(to, s.p, s.n);
    }
    return put_number_parsed(to, s);
}

/* false: no bytes, or more than 64 bits. */
static bool
bits_value(struct span s, uint64_t *value)
{
    size_t i;

    *value = 0;
    for (i = 0; i < s.n; i++) {
        if (*value >> 56 != 0)
            return false;
        *value = *value << 8 | (unsigned char)s.p[i];
    }
    return s.n > 0;
}

size_t
json_bits_size(struct span s)
{
    char digits[JSON_BITS_MAX];

    return (size_t)(json_put_bits(digits, s) - digits);
}

char *
json_put_bits(char *to, struct span s)
{
    char digits[JSON_BITS_MAX];
    size_t i = sizeof(digits);
    uint64_t v;

    if (!bits_value(s, &v))
        return put_span(to, SPAN("null"));
    do {
        digits[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return put_span(to, span_of(digits + i, sizeof(digits) - i));
}
