/*
 * test_config_refusals.c - what is wrong with a file is said in one line.
 */
#include "tests/unit/config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TOP_LEVEL                                                                        \
    "no such option, expected one of: listen, workers, user, pid_file, backlog, "        \
    "log, cpu_affinity, core, "                                                          \
    "log_level, start_timeout, drain_timeout, respawn_min, respawn_max, hang_timeout, "  \
    "recycle_requests, recycle_rss, deadline, default, limits {}, loader {}, cache {}, " \
    "database {}, source {}, view {}"

/* Each row: a text behind FIXTURE_BASE (so its first line is line 3), the error. */
struct refusal {
    const char *text;
    const char *error;
};

static void
refuse_all(void **state, const struct refusal *list, size_t n)
{
    struct fixture *f = *state;
    char text[4096];
    size_t i;

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "%s%s", FIXTURE_BASE, list[i].text);
        fixture_refuses(f, text, list[i].error);
    }
}

static void
values_out_of_form_or_range_say_what_was_expected(void **state)
{
    static const struct refusal list[] = {
        { "workers = many\n",
          ":3: workers: expected a number from 0 to 256, got \"many\"" },
        { "\n\nworkers = 257",
          ":5: workers: expected a number from 0 to 256, got \"257\"" },
        { "workers = -1", ":3: workers: expected a number from 0 to 256, got \"-1\"" },
        { "workers = ''", ":3: workers: expected a number from 0 to 256, got \"\"" },
        { "workers = 99999999999999999999999", ":3: workers: expected a number from 0 to "
                                               "256, got \"99999999999999999999999\"" },
        { "deadline = 200",
          ":3: deadline: expected a duration such as \"250ms\" from 1ms "
          "to 1h, got \"200\"" },
        { "deadline = 0", ":3: deadline: expected a duration such as \"250ms\" from 1ms "
                          "to 1h, got \"0\"" },
        { "deadline = 2h", ":3: deadline: expected a duration such as \"250ms\" from 1ms "
                           "to 1h, got \"2h\"" },
        { "limits {\n line = 4X\n}", ":4: limits.line: expected a size such as \"64K\" "
                                     "from 1K to 64M, got \"4X\"" },
        { "limits { line = 99999999999999999999G }",
          ":3: limits.line: expected a size such as \"64K\" from 1K to 64M, got "
          "\"99999999999999999999G\"" },
        { "loader { max_batch = 1000 }",
          ":3: loader.max_batch: expected a number from 1 to 999, got \"1000\"" },
        { "log_level = loud",
          ":3: log_level: expected error, warn, info or debug, got \"loud\"" },
        { "listen = localhost:7070",
          ":3: listen: expected a numeric address and port such as \"127.0.0.1:7070\", "
          "\"[::1]:7070\" or \":7070\", or \"unix:/path\", got \"localhost:7070\"" },
        { "listen = { ':1',\n ':99999' }",
          ":4: listen: expected a port from 0 to 65535 after the last colon, got "
          "\":99999\"" },
        { "database two { schema = x\n port = 0 }",
          ":4: database two: port: expected a number from 1 to 65535, got \"0\"" },
        { "source two { table = \"\xff\" }",
          ":3: source two: table: expected a name of 1 to 64 characters in UTF-8, got "
          "\"\\xff\"" },
        { "source two { columns = { 'a', '' } }",
          ":3: source two: columns: expected a name of 1 to 64 characters in UTF-8, got "
          "\"\"" },
    };

    refuse_all(state, list, ARRAY_LEN(list));
}

static void
broken_grammar_is_refused_with_its_line(void **state)
{
    static const struct refusal list[] = {
        { "wrokers = 4", ":3: wrokers: " TOP_LEVEL },
        { "cash { }", ":3: cash: " TOP_LEVEL },
        { "/* one\n two */ loader { # three\n turn = 1 }",
          ":5: turn: no such option, expected one of: max_batch, shared_batch, "
          "batch_bytes, turn_ids" },
        { "include('/etc/passwd')", ":3: unexpected character \"(\"" },
        { "workers 4", ":3: workers: expected \"=\" after the name" },
        { "workers = 4 5", ":3: 5: " TOP_LEVEL },
        { "workers =", ":3: the file ends in the middle of a setting" },
        { "workers = { 4 }", ":3: unexpected \"{\"" },
        { "workers += 4", ":3: workers: expected \"=\", \"+=\" is for lists" },
        { "workers = 4\nlisten = ':1'\nworkers = 4",
          ":5: workers: given twice; first on line 3" },
        { "listen = ':1'\nlisten = ':2'", ":4: listen: given twice; first on line 3" },
        { "limits { ids = 1 }\nlimits { ids = 2 }",
          ":4: limits.ids: given twice; first on line 3" },
        { "limits|ids = 4", ":3: expected the name of an option before \"=\"" },
        { "'workers' = 4", ":3: expected the name of an option before \"=\"" },
        { "= 4", ":3: expected the name of an option before \"=\"" },
        { "limits x { }", ":3: limits: expected an opening brace" },
        { "database { }", ":3: database: expected a name before the brace, such as "
                          "\"main\"" },
        { "source items {\n}", ":3: a second section of the name \"items\"" },
        { "database main { }", ":3: a second section of the name \"main\"" },
        { "workers = *", ":3: unexpected character \"*\"" },
        { "workers = \x01", ":3: unexpected byte 0x01" },
        { "user = http://x", ":3: a value with \"//\", \"/*\" or \"${\" needs double "
                             "quotes around it" },
    };

    refuse_all(state, list, ARRAY_LEN(list));
}

static void
what_is_left_open_is_refused_where_it_begins(void **state)
{
    static const struct refusal list[] = {
        { "limits {\n ids = 5\n\n", ":3: the section that begins here is not closed" },
        { "limits {", ":3: the section that begins here is not closed" },
        { "source more {\n columns = {\n 'a',\n",
          ":4: the list that begins here is not closed" },
        { "limits {\n ids = 5\nsource more { }\n",
          ":5: a section begins inside the section of line 3; is the closing brace of "
          "that one missing?" },
        { "listen = { ':1', { }", ":3: a brace opens inside the list of line 3" },
        { "limits { } }", ":3: a closing brace without an opening one" },
        { "\nuser = \"me\nworkers = 4", ":4: a string that begins on this line has no "
                                        "closing quote" },
        { "user = 'me", ":3: a string that begins on this line has no closing quote" },
        { "user = \"me\\", ":3: a string that begins on this line has no closing quote" },
        { "/* hello\n\n", ":3: the comment that begins here is not closed" },
        { "user = \"a\\0b\"", ":3: a string must not hold the byte 0" },
        { "user = \"a\\x00\"", ":3: a string must not hold the byte 0" },
        { "user = \"a\\x001\"", ":3: a string must not hold the byte 0" },
        { "user = \"\\999\"", ":3: a string holds a backslash followed by a bad number" },
        { "user = \"${NO_SUCH_VARIABLE_HERE}\"",
          ":3: the environment has no variable of the name that stands in \"${...}\" "
          "here" },
        { "user = \"${HOME\"\nlimits { }", ":3: expected a closing brace for \"${\"; a "
                                           "plain \"${\" is written \"\\${\"" },
        { "user = \"${HOME:x}\"", ":3: expected ${NAME} or ${NAME:-default}; a plain "
                                  "\"${\" is written \"\\${\"" },
    };

    refuse_all(state, list, ARRAY_LEN(list));
}

static void
options_that_contradict_each_other_are_refused(void **state)
{
    static const struct refusal list[] = {
        { "respawn_min = '20s'", ":3: respawn_min: expected respawn_min to be at most "
                                 "respawn_max" },
        { "respawn_min = '2s'\nrespawn_max = '1s'",
          ":4: respawn_max: expected respawn_min to be at most respawn_max" },
        { "limits {\n output_soft = '64M'\n output_hard = 1M }",
          ":5: limits.output_hard: expected output_soft to be at most output_hard" },
        { "cache { size = 1023K }",
          ":3: cache.size: expected 0 for none, or at least 1M" },
        { "limits { output_hard = 8M }",
          ":3: limits.output_hard: expected reply to be at most output_hard" },
        { "listen = { ':7', '*:7' }", ":3: listen: \"*:7\" is listed twice" },
        { "database two { schema = x host = h\n socket = '/s' }",
          ":4: database two: socket: expected either host or socket, got both" },
        { "database two {\n schema = x\n reconnect_min = 1s }",
          ":5: database two: reconnect_min: expected reconnect_min to be at most "
          "reconnect_max" },
        { "\ndatabase two {\n\n}", ":4: database two: schema: required: the schema that "
                                   "holds the tables" },
        { "source two { table = t\n database = mian }",
          ":4: source two: database: expected the name of a database section, got "
          "\"mian\"" },
        { "database two { schema = x }\nsource two { table = t database = two }",
          ":2: source items: database: required, as there is more than one database" },
        { "\nsource two\n{\n\n}", ":5: source two: table: required: the table whose rows "
                                  "are the items (or an url)" },
        { "source two { table = t key = '' }",
          ":3: source two: key: expected the column that identifies an item" },
        { "source two { table = t columns = { a, b, a } }",
          ":3: source two: columns: \"a\" is listed twice" },
        { "source 'a.b' { table = t }", ":3: source a.b: expected a name of 1 to 64 "
                                        "letters, digits, \"_\" and \"-\"" },
        { "source '' { table = t }", ":3: source: expected a name of 1 to 64 letters, "
                                     "digits, \"_\" and \"-\"" },
    };

    refuse_all(state, list, ARRAY_LEN(list));
}

static void
files_without_sections_or_text_are_refused(void **state)
{
    struct fixture *f = *state;

    fixture_refuses(f, "", ": the file is empty: no option and no section is set");
    fixture_refuses(f, "\n # only words\n",
                    ": the file is empty: no option and no section is set");
    fixture_refuses(f, "workers = 4\n",
                    ": database: none is defined; give a \"database\" section in a file "
                    "(-c FILE), or --database URL --table NAME");
    fixture_refuses(f, "database main { schema = s }\n",
                    ": source: none is defined; give a \"source\" section in a file (-c "
                    "FILE), or --database URL --table NAME");
}

static void
files_that_cannot_be_read_are_named(void **state)
{
    struct fixture *f = *state;
    char expected[256];

    assert_null(config_load("/nowhere/fetchd.conf", NULL, &f->error));
    assert_string_equal(fixture_error(f), "cannot read /nowhere/fetchd.conf: "
                                          "No such file or directory");
    assert_null(config_load(f->dir, NULL, &f->error));
    snprintf(expected, sizeof(expected), "cannot read %s: Is a directory", f->dir);
    assert_string_equal(fixture_error(f), expected);
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->file, "w");

    assert_non_null(file);
    assert_int_equal(fwrite("workers\0= 4\n", 1, 12, file), 12);
    fclose(file);
    assert_null(config_load(f->file, NULL, &f->error));
    assert_non_null(strstr(fixture_error(f), "the file holds a byte 0"));
}

static void
no_error_shows_a_password(void **state)
{
    static const char *const texts[] = {
        "database two { schema = x password = open geheim }",
        "database two {\n password = \"open\" geheim\n }",
        "database two {\n password =\n geheim open geheim\n }",
        "database two { password = { geheim } }",
        "database two { password = geheim\n password = geheim }",
        "database two { password = 'geheim\n }",
        "database two { password geheim }",
        "database two { password = \"geheim\\999\" }",
        "database two { password = geheim }\nworkers = x",
        "database two { password = \"geheim\"geheim }",
        "database two { password = geheim=geheim }",
        "database two { password = geheim,geheim }",
        "database two { password = geheim//geheim }",
    };
    struct fixture *f = *state;
    char text[1024];
    size_t i;

    for (i = 0; i < ARRAY_LEN(texts); i++) {
        snprintf(text, sizeof(text), "%s%s", FIXTURE_BASE, texts[i]);
        assert_null(fixture_load(f, text));
        assert_null(strstr(fixture_error(f), "geheim"));
        assert_null(strchr(fixture_error(f), '\n'));
    }
}

/* A small generator of its own, so that every run changes the same bytes. */
static unsigned
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33);
}

static void
no_changed_byte_crashes_the_loader(void **state)
{
    static const char good[] =
        "listen = { '127.0.0.1:7070', \"unix:/run/x.sock\" } # comment\n"
        "workers = 2 /* c */ deadline = \"250ms\" user = \"${HOME:-x}\\n\\x41\\101\"\n"
        "database main { host = h port = 3306 schema = shop password = 'p' }\n"
        "source items { database = main table = items columns += { a, b } }\n"
        "limits { line = 4M } loader { max_batch = 12 } // end\n";
    static const char marks[] = "{}\"'=+,#/*\\$\n 0x|()\xff\x01";
    struct fixture *f = *state;
    uint64_t random = 7;
    unsigned i, j, loaded = 0;

    for (i = 0; i < 4000; i++) {
        char text[sizeof(good)];
        struct config *c;

        memcpy(text, good, sizeof(good));
        for (j = next_random(&random) % 3 + 1; j > 0; j--)
            text[next_random(&random) % (sizeof(good) - 1)] =
                marks[next_random(&random) % (sizeof(marks) - 1)];
        if (next_random(&random) % 8 == 0)
            text[next_random(&random) % (sizeof(good) - 1)] = '\0';
        c = fixture_load(f, text);
        assert_true(c != NULL || buf_size(&f->error) > 0);
        assert_null(memchr(f->error.data, '\n', buf_size(&f->error)));
        loaded += c != NULL;
        config_free(&c);
    }
    /* Some changes are harmless; most are not. */
    assert_in_range(loaded, 10, 2000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_out_of_form_or_range_say_what_was_expected),
        TEST(broken_grammar_is_refused_with_its_line),
        TEST(what_is_left_open_is_refused_where_it_begins),
        TEST(options_that_contradict_each_other_are_refused),
        TEST(files_without_sections_or_text_are_refused),
        TEST(files_that_cannot_be_read_are_named),
        TEST(bytes_that_are_no_text_are_refused),
        TEST(no_error_shows_a_password),
        TEST(no_changed_byte_crashes_the_loader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
