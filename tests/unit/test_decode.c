/*
 * test_decode.c - JSON strings become the text they stand for.
 */
#include "server/item/decode.h"

#include "server/item/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* From a block that ends where the string ends. */
static void
check(struct span string, struct span expected)
{
    struct buf out = BUF_INIT;
    char *exact = malloc(string.n + (string.n == 0));

    assert_non_null(exact);
    memcpy(exact, string.p, string.n);
    BUF_APPEND_LIT(&out, "before");
    json_append_decoded(&out, span_of(exact, string.n));
    assert_int_equal(json_decoded_size(span_of(exact, string.n)), expected.n);
    assert_int_equal(buf_size(&out), 6 + expected.n);
    assert_memory_equal(buf_span(&out).p + 6, expected.p, expected.n);
    assert_memory_equal(buf_span(&out).p, "before", 6);
    buf_fini(&out);
    free(exact);
}

/* clang-format off */
static const struct { struct span string, text; } rows[] = {
    { SPAN("\"\""),                         SPAN("") },
    { SPAN("\"a\""),                        SPAN("a") },
    { SPAN("\"plain text\""),               SPAN("plain text") },
    { SPAN("\"\\\"\""),                     SPAN("\"") },
    { SPAN("\"\\\\\""),                     SPAN("\\") },
    { SPAN("\"\\\\\\\\n\""),                SPAN("\\\\n") },
    { SPAN("\"\\/\""),                      SPAN("/") },
    { SPAN("\"\\b\\f\\n\\r\\t\""),          SPAN("\b\f\n\r\t") },
    { SPAN("\"a\\nb\\nc\""),                SPAN("a\nb\nc") },
    { SPAN("\"\\u0000\""),                  SPAN("\0") },
    { SPAN("\"a\\u0000b\""),                SPAN("a\0b") },
    { SPAN("\"\\u0041\\u007f\\u0080\""),    SPAN("A\x7f\xc2\x80") },
    { SPAN("\"\\u00e9\\u07FF\\u0800\""),    SPAN("\xc3\xa9\xdf\xbf\xe0\xa0\x80") },
    { SPAN("\"\\uFFFF\\uabCD\""),           SPAN("\xef\xbf\xbf\xea\xaf\x8d") },
    { SPAN("\"\\ud83c\\udf88\""),           SPAN("\xf0\x9f\x8e\x88") },
    { SPAN("\"\\uD800\\uDC00\""),           SPAN("\xf0\x90\x80\x80") },
    { SPAN("\"\\uDBFF\\uDFFF\""),           SPAN("\xf4\x8f\xbf\xbf") },
    { SPAN("\"\\ud83c\""),                  SPAN("\xef\xbf\xbd") },
    { SPAN("\"\\udf88\""),                  SPAN("\xef\xbf\xbd") },
    { SPAN("\"\\ud83cx\""),                 SPAN("\xef\xbf\xbdx") },
    { SPAN("\"\\ud83c\\n\""),               SPAN("\xef\xbf\xbd\n") },
    { SPAN("\"\\ud83c\\u0041\""),           SPAN("\xef\xbf\xbd" "A") },
    { SPAN("\"\\ud83c\\ud83c\\udf88\""),    SPAN("\xef\xbf\xbd\xf0\x9f\x8e\x88") },
    { SPAN("\"\xf0\x9f\x8e\x88\\t\""),      SPAN("\xf0\x9f\x8e\x88\t") },
    /* not JSON: no answer is right, but nothing beyond the block is read */
    { SPAN(""),                             SPAN("") },
    { SPAN("\""),                           SPAN("") },
    { SPAN("\"\\\""),                       SPAN("") },
    { SPAN("\"\\u\""),                      SPAN("\0") },
    { SPAN("\"\\u00\""),                    SPAN("\0") },
    { SPAN("\"\\ud83c\\u\""),               SPAN("\xef\xbf\xbd\0") },
};
/* clang-format on */

static void
decode_undoes_every_escape(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++)
        check(rows[i].string, rows[i].text);
}

static void
decode_undoes_what_json_append_string_does(void **state)
{
    struct buf json = BUF_INIT;
    char text[600];
    size_t n, i;

    (void)state;
    for (n = 0; n < sizeof(text); n = n * 2 + 1) {
        for (i = 0; i < n; i++)
            text[i] = (char)(i * 37 % 128);
        buf_clear(&json);
        json_append_string(&json, span_of(text, n));
        check(buf_span(&json), span_of(text, n));
    }
    buf_fini(&json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_undoes_every_escape),
        cmocka_unit_test(decode_undoes_what_json_append_string_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
