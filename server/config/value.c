/*
 * value.c - numbers with units, to and from text.
 *
 * One table a kind of value, largest unit first, serves both directions.
 */
#include "server/config/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit time_units[] = {
    { "h", 3600000 },
    { "m", 60000 },
    { "s", 1000 },
    { "ms", 1 },
};

static const struct unit size_units[] = {
    { "G", (uint64_t)1 << 30 },
    { "M", (uint64_t)1 << 20 },
    { "K", (uint64_t)1 << 10 },
    { "", 1 },
};

/* Reads the digits 'text' begins with; NULL when there are none. */
static const char *
parse_digits(const char *text, uint64_t *out)
{
    const char *p;
    uint64_t value = 0;

    for (p = text; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) {
            value = UINT64_MAX;
            break;
        }
    }
    while (*p >= '0' && *p <= '9')
        p++;
    *out = value;
    return p == text ? NULL : p;
}

static bool
parse_united(const char *text, const struct unit *units, size_t n, uint64_t *out)
{
    const char *rest = parse_digits(text, out);
    size_t i;

    if (rest == NULL)
        return false;
    for (i = 0; i < n; i++) {
        if (strcmp(rest, units[i].name) == 0) {
            if (__builtin_mul_overflow(*out, units[i].factor, out))
                *out = UINT64_MAX;
            return true;
        }
    }
    return false;
}

static const char *
format_united(uint64_t value, const struct unit *units, size_t n, char *out)
{
    size_t i = 0;

    while (i + 1 < n && value % units[i].factor != 0)
        i++;
    snprintf(out, VALUE_TEXT, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
    return out;
}

bool
value_parse_count(const char *text, uint64_t *out)
{
    const char *rest = parse_digits(text, out);

    return rest != NULL && *rest == '\0';
}

bool
value_parse_bytes(const char *text, uint64_t *out)
{
    return parse_united(text, size_units, ARRAY_LEN(size_units), out);
}

bool
value_parse_ms(const char *text, uint64_t *out)
{
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return true;
    }
    return parse_united(text, time_units, ARRAY_LEN(time_units), out);
}

const char *
value_format_bytes(uint64_t value, char *out)
{
    if (value == 0)
        return strcpy(out, "0");
    return format_united(value, size_units, ARRAY_LEN(size_units), out);
}

const char *
value_format_ms(uint64_t value, char *out)
{
    if (value == 0)
        return strcpy(out, "0");
    return format_united(value, time_units, ARRAY_LEN(time_units), out);
}
