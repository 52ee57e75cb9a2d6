/*
 * value.h - numbers with units, to and from text.
 *
 * Owns: the units of the configuration: "250ms" "10s" "1m" "1h" for durations,
 * "64K" "4M" "1G" (powers of 1024) for sizes, plain digits for counts.
 * Never knows: which option a value belongs to, or its range.
 */
#ifndef SERVER_CONFIG_VALUE_H
#define SERVER_CONFIG_VALUE_H

#include "common/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/* Holds every text that the format functions write. */
#define VALUE_TEXT 32

/* All three: false when 'text' has another form.  A value too large for 64 bits
 * becomes UINT64_MAX, so that a range check refuses it with the range's own text. */
bool value_parse_count(const char *text, uint64_t *out) MUST_CHECK;

/* Bytes.  Digits without a unit are bytes. */
bool value_parse_bytes(const char *text, uint64_t *out) MUST_CHECK;

/* Milliseconds.  The unit is required, so that nobody means seconds and gets
 * milliseconds; only "0" needs none. */
bool value_parse_ms(const char *text, uint64_t *out) MUST_CHECK;

/* The shortest text that parses back to 'value'; both return 'out'. */
const char *value_format_bytes(uint64_t value, char *out);
const char *value_format_ms(uint64_t value, char *out);

#endif
