/*
 * test_text.c - a line's words, 64 bytes at a glance, against one byte at a time.
 */
#include "server/protocol/text.h"
#include "tests/random.h"
#include "tests/unit/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define LINE_MAX_BYTES 300

/* The same words, and what no key may hold is noticed before its word is given. */
static void
check_line(const char *text, size_t n)
{
    struct span line = exact_copy(span_of(text, n)), rest = line, expected, word;
    struct text_words words = text_words_of(line);
    bool more, odd = false;

    for (;;) {
        more = text_next_word(&rest, &expected);
        assert_int_equal(text_words_next(&words, &word), more);
        if (!more)
            break;
        assert_ptr_equal(word.p, expected.p);
        assert_int_equal(word.n, expected.n);
        odd = odd || text_has_control(word);
        if (odd)
            assert_true(words.odd != 0);
    }
    assert_int_equal(words.odd != 0, odd);
    exact_free(line);
}

/* All lengths around a block, words that end with it, begin with it and span it. */
static void
test_words_end_where_they_end_whatever_the_blocks(void **state)
{
    char text[LINE_MAX_BYTES];
    size_t n, first, second;

    (void)state;
    for (n = 0; n <= 2 * TEXT_BLOCK + 2; n++) {
        for (first = 0; first < n; first++) {
            memset(text, 'x', n);
            text[first] = ' ';
            check_line(text, n);
            for (second = first + 1; second < n && second < first + 3; second++) {
                text[second] = '\t';
                check_line(text, n);
            }
        }
        memset(text, ' ', n);
        check_line(text, n);
    }
}

static void
test_words_of_random_lines(void **state)
{
    static const char bytes[] = "  \t0123456789abcxyz:=@\xc3\xa4\x80\xff";
    uint64_t random = 88172645463325252u;
    char text[LINE_MAX_BYTES];
    size_t i, k, n;

    (void)state;
    for (i = 0; i < 20000; i++) {
        n = random_next(&random) % LINE_MAX_BYTES;
        for (k = 0; k < n; k++)
            text[k] = bytes[random_next(&random) % (sizeof(bytes) - 1)];
        if (n > 0 && i % 3 == 0)
            text[random_next(&random) % n] = (char)(random_next(&random) % 0x20);
        if (n > 0 && i % 7 == 0)
            text[random_next(&random) % n] = 0x7f;
        check_line(text, n);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_end_where_they_end_whatever_the_blocks),
        cmocka_unit_test(test_words_of_random_lines),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
