/*
 * test_native.c - lines become commands, however their bytes arrive.
 */
#include "tests/unit/native_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINE_MAX_BYTES 400
#define IDS_MAX 6

struct row {
    const char *input;
    const char *said;
};

static void
check(struct span input, const char *expected)
{
    struct conversation d;

    driver_init(&d, LINE_MAX_BYTES, IDS_MAX);
    conversation_feed(&d, input);
    assert_string_equal(conversation_said(&d), expected);
    conversation_fini(&d);
}

static void
check_rows(const struct row *rows, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        check(span_str(rows[i].input), rows[i].said);
}

/* clang-format off */
static const struct row verbs[] = {
    { "fetch 7\n",                  "fetch <7>\n" },
    { "fetch 7 8 9\n",              "fetch <7> <8> <9>\n" },
    { "fetch 7 7 7\n",              "fetch <7> <7> <7>\n" },
    { "ping\n",                     "ping\n" },
    { "help\n",                     "help\n" },
    { "sources\n",                  "sources\n" },
    { "stats\n",                    "stats\n" },
    { "stats workers\n",            "stats workers\n" },
    { "stats  workers rest\n",      "stats workers\n" },
    { "stats nonsense\n",           "error unknown\n" },
    { "version\n",                  "version\n" },
    { "version whatever\n",         "version\n" },
    { "quit\n",                     "quit\n" },
    { "quit now\nping\n",           "quit\n" },
    { "ping 1\n",                   "error syntax\n" },
    { "help me\n",                  "error syntax\n" },
    { "sources x\n",                "error syntax\n" },
    { "fetch\n",                    "error syntax\n" },
    { "fetch --\n",                 "error syntax\n" },
    { "fetch deadline=5\n",         "error syntax\n" },
    { "fetches 1\n",                "error unknown\n" },
    { "fetc 1\n",                   "error unknown\n" },
    { "z\n",                        "error unknown\n" },
    { "Fetch 1\n",                  "error syntax\n" },
    { "FETCH 1\n",                  "error syntax\n" },
    { "9\n",                        "error syntax\n" },
    { "{\"fetch\":[1]}\n",          "error syntax\n" },
    { "-- fetch 1\n",               "error syntax\n" },
};

static const struct row tags[] = {
    { "#a ping\n",                        "#a ping\n" },
    { "#Zz09 fetch deadline=5 7\n",       "#Zz09 fetch deadline=5 <7>\n" },
    { "#0123456789abcdef ping\n",         "#0123456789abcdef ping\n" },
    { "#0123456789abcdefg ping\n",        "error syntax\n" },
    { "# ping\n",                         "error syntax\n" },
    { "#a-b ping\n",                      "error syntax\n" },
    { "##a ping\n",                       "error syntax\n" },
    { "#\xc3\xa9 ping\n",                 "error syntax\n" },
    { "#a\n",                             "#a error syntax\n" },
    { "#a   \n",                          "#a error syntax\n" },
    { "#a nonsense\n",                    "#a error unknown\n" },
    { "#a FETCH 1\n",                     "#a error syntax\n" },
    { "#a #b ping\n",                     "#a error syntax\n" },
    { "#a fetch what=1 2\n",              "#a error option\n" },
    { "#a stats workers\n",               "#a stats workers\n" },
    { " #a ping\n",                       "#a ping\n" },
    { "#a quit\n",                        "#a quit\n" },
};

static const struct row options[] = {
    { "fetch deadline=1 7\n",             "fetch deadline=1 <7>\n" },
    { "fetch deadline=86400000 7\n",      "fetch deadline=86400000 <7>\n" },
    { "fetch deadline=0050 7\n",          "fetch deadline=50 <7>\n" },
    { "fetch deadline=5 deadline=6 7\n",  "fetch deadline=6 <7>\n" },
    { "fetch deadline=86400001 7\n",      "error option\n" },
    { "fetch deadline=99999999999999999999999999 7\n", "error option\n" },
    { "fetch deadline=18446744073709551617 7\n",       "error option\n" },
    { "fetch deadline=0 7\n",             "error option\n" },
    { "fetch deadline= 7\n",              "error option\n" },
    { "fetch deadline=-1 7\n",            "error option\n" },
    { "fetch deadline=+1 7\n",            "error option\n" },
    { "fetch deadline=1.5 7\n",           "error option\n" },
    { "fetch deadline=5ms 7\n",           "error option\n" },
    { "fetch deadline=5=5 7\n",           "error option\n" },
    { "fetch Deadline=5 7\n",             "error option\n" },
    { "fetch what=1 7\n",                 "error option\n" },
    { "fetch =1 7\n",                     "error option\n" },
    { "fetch = 7\n",                      "error option\n" },
    { "fetch a=b\n",                      "error option\n" },
    { "fetch -- a=b\n",                   "fetch <a=b>\n" },
    { "fetch deadline=5 -- a=b deadline=6\n", "fetch deadline=5 <a=b> <deadline=6>\n" },
    { "fetch -- --\n",                    "fetch <-->\n" },
    { "fetch 1 --\n",                     "fetch <1> <-->\n" },
    { "fetch 1 a=b\n",                    "fetch <1> <a=b>\n" },
    { "fetch 1 deadline=5\n",             "fetch <1> <deadline=5>\n" },
    { "fetch - ---\n",                    "fetch <-> <--->\n" },
};

static const struct row more_options[] = {
    { "fetch fields=a 7\n",               "fetch fields=<a> <7>\n" },
    { "fetch fields=b,a.c,d 7\n",         "fetch fields=<b><a.c><d> <7>\n" },
    { "fetch fields=a=b 7\n",             "fetch fields=<a=b> <7>\n" },
    { "fetch fields= 7\n",                "error option\n" },
    { "fetch fields=a,,b 7\n",            "error option\n" },
    { "fetch fields=,a 7\n",              "error option\n" },
    { "fetch fields=a, 7\n",              "error option\n" },
    { "fetch maxage=0 7\n",               "fetch fresh <7>\n" },
    { "fetch maxage=000 7\n",             "fetch fresh <7>\n" },
    { "fetch maxage=1 7\n",               "fetch <7>\n" },
    { "fetch maxage=86400000 7\n",        "fetch <7>\n" },
    { "fetch maxage=86400001 7\n",        "error option\n" },
    { "fetch maxage= 7\n",                "error option\n" },
    { "fetch maxage=-1 7\n",              "error option\n" },
    { "fetch maxage=never 7\n",           "error option\n" },
    { "fetch order=done 7\n",             "fetch done <7>\n" },
    { "fetch order=request 7\n",          "fetch <7>\n" },
    { "fetch order=done order=request 7\n", "fetch <7>\n" },
    { "fetch order= 7\n",                 "error option\n" },
    { "fetch order=DONE 7\n",             "error option\n" },
    { "fetch as=lines 7\n",               "fetch <7>\n" },
    { "fetch as=array 7\n",               "fetch as=array <7>\n" },
    { "fetch as=map 7\n",                 "fetch as=map <7>\n" },
    { "fetch as=columns 7\n",             "fetch as=columns <7>\n" },
    { "fetch as=array as=lines 7\n",      "fetch <7>\n" },
    { "fetch as= 7\n",                    "error option\n" },
    { "fetch as=table 7\n",               "error option\n" },
    { "fetch as=map order=done 7\n",      "error option\n" },
    { "fetch order=done as=map 7\n",      "error option\n" },
    { "fetch order=done as=lines 7\n",    "fetch done <7>\n" },
    { "fetch trace=1 7\n",                "fetch trace <7>\n" },
    { "fetch trace=0 7\n",                "fetch <7>\n" },
    { "fetch trace=yes 7\n",              "error option\n" },
    { "fetch trace= 7\n",                 "error option\n" },
    { "fetch trace=1 maxage=0 fields=a as=map deadline=5 7\n", "fetch deadline=5 fresh trace as=map fields=<a> <7>\n" },
    { "fetch fields=a as=no 7\nfetch 8\n", "error option\nfetch <8>\n" },
    { "fetch fields=a b=c\nfetch 8\n",    "error option\nfetch <8>\n" },
    { "invalidate 1 a=b --\n",            "invalidate <1> <a=b> <-->\n" },
    { "#i invalidate 1\n",                "#i invalidate <1>\n" },
    { "invalidate\n",                     "error syntax\n" },
    { "invalidate a\x01\n",               "error syntax\n" },
    { "invalidate 1 2 3 4 5 6 7\n",       "error toomany\n" },
};

static const struct row blanks[] = {
    { "\n",                               "" },
    { "\r\n",                             "" },
    { " \t \r\n",                         "" },
    { "\n\r\n\nping\n\n",                 "ping\n" },
    { "ping\r\n",                         "ping\n" },
    { "  ping  \n",                       "ping\n" },
    { "\tping\t\r\n",                     "ping\n" },
    { "fetch \t 1\t\t2   3 \r\n",         "fetch <1> <2> <3>\n" },
    { "ping",                             "" },
    { "ping\r",                           "" },
    { "ping\nping\r\nping",               "ping\nping\n" },
    { "ping\rping\n",                     "error unknown\n" },
    { "fetch 1\r2\n",                     "error syntax\n" },
    { "fetch 1\r\r\n",                    "error syntax\n" },
    { "fetch 1\v2\n",                     "error syntax\n" },
};

static const struct row keys[] = {
    { "fetch user:123 role::program :x a:b:c\n", "fetch <user:123> <role::program> <:x> <a:b:c>\n" },
    { "fetch 007 -0 1e3 0x10\n",          "fetch <007> <-0> <1e3> <0x10>\n" },
    { "fetch #a\n",                       "fetch <#a>\n" },
    { "fetch fetch ping\n",               "fetch <fetch> <ping>\n" },
    { "fetch \xf0\x9f\x98\x80 \xff\x80\n", "fetch <\xf0\x9f\x98\x80> <\xff\x80>\n" },
    { "fetch a\x01" "b\n",                "error syntax\n" },
    { "fetch a\x1f\n",                    "error syntax\n" },
    { "fetch a\x7f\n",                    "error syntax\n" },
    { "fetch 1 2 3 4 5 6\n",              "fetch <1> <2> <3> <4> <5> <6>\n" },
    { "fetch 1 2 3 4 5 6 7\n",            "error toomany\n" },
    { "fetch 1 1 1 1 1 1 1\nping\n",      "error toomany\nping\n" },
    { "#t fetch 1 2 3 4 5 6 7\n",         "#t error toomany\n" },
};

static const struct row strangers[] = {
    { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "hangup\n" },
    { "GET /a b HTTP/1.0\n",              "hangup\n" },
    { "post /x HTTP/1.1\r\n",             "hangup\n" },
    { "ping\nGET / HTTP/1.1\r\nping\n",   "ping\nhangup\n" },
    { "GET / HTTP/2.0\n",                 "error syntax\n" },
    { "fetch HTTP/1.1 x\n",               "fetch <HTTP/1.1> <x>\n" },
    { "\x16\x03\x01\x02",                 "hangup\n" },
    { "\x80\x01",                         "hangup\n" },
    { "\x7f\n",                           "hangup\n" },
    { "\xc3\xa9\n",                       "hangup\n" },
    { "\x1b[A\n",                         "hangup\n" },
    { "ping\n\x80",                       "ping\nhangup\n" },
};
/* clang-format on */

static void
native_reads_every_verb(void **state)
{
    (void)state;
    check_rows(verbs, ARRAY_LEN(verbs));
}

static void
native_reads_tags(void **state)
{
    (void)state;
    check_rows(tags, ARRAY_LEN(tags));
}

static void
native_reads_options_before_the_first_key(void **state)
{
    (void)state;
    check_rows(options, ARRAY_LEN(options));
}

static void
native_reads_every_option_and_refuses_wrong_values(void **state)
{
    (void)state;
    check_rows(more_options, ARRAY_LEN(more_options));
}

static void
native_is_generous_about_blanks(void **state)
{
    (void)state;
    check_rows(blanks, ARRAY_LEN(blanks));
}

static void
native_takes_keys_as_they_are(void **state)
{
    (void)state;
    check_rows(keys, ARRAY_LEN(keys));
    check(SPAN("fetch a\0b\nping\n"), "error syntax\nping\n");
    check(SPAN("fe\0tch 1\n"), "error unknown\n");
}

static void
native_hangs_up_on_other_protocols(void **state)
{
    (void)state;
    check_rows(strangers, ARRAY_LEN(strangers));
    check(SPAN("\0"), "hangup\n");
}

static void
native_bounds_the_length_of_a_key(void **state)
{
    char line[300] = "fetch ", expected[300] = "fetch <";

    (void)state;
    memset(line + 6, 'k', COMMAND_KEY_MAX);
    memset(expected + 7, 'k', COMMAND_KEY_MAX);
    strcpy(line + 6 + COMMAND_KEY_MAX, "\n");
    strcpy(expected + 7 + COMMAND_KEY_MAX, ">\n");
    check(span_str(line), expected);
    strcpy(line + 6 + COMMAND_KEY_MAX, "k\nping\n");
    check(span_str(line), "error syntax\nping\n");
}

/* A line of 'n' bytes before its end: a ping and blanks. */
static void
check_long_line(size_t n, const char *end, const char *expected)
{
    struct buf line = BUF_INIT;

    BUF_APPEND_LIT(&line, "ping");
    while (buf_size(&line) < n)
        buf_append_char(&line, ' ');
    buf_append_span(&line, span_str(end));
    check(buf_span(&line), expected);
    buf_fini(&line);
}

static void
native_bounds_the_length_of_a_line(void **state)
{
    (void)state;
    check_long_line(LINE_MAX_BYTES, "\nping\n", "ping\nping\n");
    check_long_line(LINE_MAX_BYTES - 1, "\r\nping\n", "ping\nping\n");
    check_long_line(LINE_MAX_BYTES + 1, "\nping\n", "error toolong close\n");
    check_long_line(LINE_MAX_BYTES + 1, "", "error toolong close\n");
    check_long_line(LINE_MAX_BYTES, "", "");
    check_long_line(10 * LINE_MAX_BYTES, "", "error toolong close\n");
}

/* --- however the bytes are split ------------------------------------------------------ */

static const char conversation[] =
    "ping\r\n\n  \t\r\n#a fetch deadline=50 -- a=b 7\n"
    "fetch 1 2 3 4 5 6\nfetch 1 2 3 4 5 6 7\r\nfetch \xf0\x9f\x98\x80 007\r\n"
    "FETCH 1\nnonsense\r\n#toolongatagforus1 ping\n#b\n#c help\nstats workers\n"
    "fetch fields=a,b.c as=map trace=1 7\n#d fetch order=done maxage=0 7 8\ninvalidate "
    "1\n"
    "fetch what=1\nfetch a\x01\nversion 1 2 3\nsources\n";

static const char *const endings[] = {
    "quit\nping\n",
    "GET / HTTP/1.1\r\nping\n",
    "\x16\x03\x01\nping\n",
    "ping",
};

static void
open_native(struct conversation *c)
{
    driver_init(c, LINE_MAX_BYTES, IDS_MAX);
}

static void
check_every_split(struct span input)
{
    static const struct conversation_kind native = { sizeof(struct conversation),
                                                     open_native };

    conversation_check_splits(&native, input);
}

static void
native_does_not_care_how_the_bytes_are_split(void **state)
{
    struct buf input = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(endings); i++) {
        buf_clear(&input);
        buf_append_span(&input, span_str(conversation));
        buf_append_span(&input, span_str(endings[i]));
        check_every_split(buf_span(&input));
    }
    buf_clear(&input);
    BUF_APPEND_LIT(&input, "ping\nfetch 1\0 2\r\nping\nfetch ");
    while (buf_size(&input) < 2 * LINE_MAX_BYTES)
        BUF_APPEND_LIT(&input, "x ");
    BUF_APPEND_LIT(&input, "\nping\n");
    check_every_split(buf_span(&input));
    buf_fini(&input);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_reads_every_verb),
        cmocka_unit_test(native_reads_tags),
        cmocka_unit_test(native_reads_options_before_the_first_key),
        cmocka_unit_test(native_reads_every_option_and_refuses_wrong_values),
        cmocka_unit_test(native_is_generous_about_blanks),
        cmocka_unit_test(native_takes_keys_as_they_are),
        cmocka_unit_test(native_hangs_up_on_other_protocols),
        cmocka_unit_test(native_bounds_the_length_of_a_key),
        cmocka_unit_test(native_bounds_the_length_of_a_line),
        cmocka_unit_test(native_does_not_care_how_the_bytes_are_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
