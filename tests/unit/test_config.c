/*
 * test_config.c - what was written, said and left out becomes one struct.
 */
#include "tests/unit/config_fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define VARIABLE "FETCHD_DATABASE_PASSWORD"

static void
a_small_file_gets_every_default(void **state)
{
    struct config *c = fixture_accepts(*state, FIXTURE_BASE);
    cpu_set_t cores;

    assert_int_equal(c->nlistens, 1);
    assert_string_equal(c->listens[0].text, "127.0.0.1:7070");
    assert_int_equal(sched_getaffinity(0, sizeof(cores), &cores), 0);
    assert_int_equal(c->workers, CPU_COUNT(&cores));
    assert_string_equal(c->user, "");
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_int_equal(c->deadline_ms, 200);
    assert_int_equal(c->drain_timeout_ms, 10000);
    assert_int_equal(c->line_max_bytes, 4 << 20);
    assert_int_equal(c->max_connections, 0);
    assert_int_equal(c->max_batch, 128);
    assert_int_equal(c->turn_ids, 4096);
    assert_int_equal(c->ndatabases, 1);
    assert_string_equal(c->databases[0].name, "main");
    assert_null(c->databases[0].host);
    assert_string_equal(c->databases[0].socket, "/run/mysqld/mysqld.sock");
    assert_string_equal(c->databases[0].user, "");
    assert_string_equal(c->databases[0].password, "");
    assert_null(c->databases[0].option_file);
    assert_int_equal(c->databases[0].port, 3306);
    assert_int_equal(c->nsources, 1);
    assert_string_equal(c->sources[0].database, "main");
    assert_string_equal(c->sources[0].key, "id");
    assert_null(c->sources[0].columns);
    config_free(&c);
    assert_null(c);
}

static void
values_may_be_bare_or_quoted_and_comments_stand_anywhere(void **state)
{
    struct config *c =
        fixture_accepts(*state,
                        "workers = \"3\"  // one\r\n"
                        "listen = { ':1', # two\n /* three */ \"unix:/run/f.sock\" }\n"
                        "listen += '[::1]:0'\n"
                        "deadline = 1s limits { ids = 7 line = '1048576' }\n"
                        "limits { item = 2K }\n"
                        "database \"a\" { host = db.example schema = 'sh\\\\op' }\n"
                        "source s { table = \"\\x74\\141bs\\u\" columns = name }\n");

    assert_int_equal(c->workers, 3);
    assert_int_equal(c->nlistens, 3);
    assert_string_equal(c->listens[1].text, "unix:/run/f.sock");
    assert_string_equal(c->listens[2].text, "[::1]:0");
    assert_int_equal(c->deadline_ms, 1000);
    assert_int_equal(c->ids_max, 7);
    assert_int_equal(c->line_max_bytes, 1 << 20);
    assert_int_equal(c->item_max_bytes, 2048);
    assert_string_equal(c->databases[0].host, "db.example");
    assert_null(c->databases[0].socket);
    assert_string_equal(c->databases[0].schema, "sh\\op");
    assert_string_equal(c->sources[0].table, "tabsu");
    assert_int_equal(c->sources[0].ncolumns, 1);
    assert_string_equal(c->sources[0].columns[0], "name");
    config_free(&c);
}

static void
sources_keep_the_order_of_the_file(void **state)
{
    struct config *c =
        fixture_accepts(*state, "source z { table = t database = two }\n"
                                "database one { schema = a }\n"
                                "source a { table = u database = one columns = {} }\n"
                                "database two { schema = b }\n");

    assert_int_equal(c->nsources, 2);
    assert_string_equal(c->sources[0].name, "z");
    assert_int_equal(c->sources[0].database_index, 1);
    assert_int_equal(c->sources[1].database_index, 0);
    assert_int_equal(c->sources[1].ncolumns, 0);
    config_free(&c);
}

static void
paths_become_absolute(void **state)
{
    char cwd[4096], expected[8192];
    struct config *c = fixture_accepts(
        *state, "pid_file = 'run/f.pid' database two { schema = s socket = '/abs' }\n"
                "source more { table = t }\n");

    assert_non_null(getcwd(cwd, sizeof(cwd)));
    snprintf(expected, sizeof(expected), "%s/run/f.pid", cwd);
    assert_string_equal(c->pid_file, expected);
    assert_string_equal(c->databases[0].socket, "/abs");
    config_free(&c);
}

static void
variables_are_expanded_in_double_quotes_only(void **state)
{
    struct config *c;

    setenv("FETCHD_TEST_SCHEMA", "from \"outside\"", 1);
    c = fixture_accepts(*state,
                        "database main { schema = \"${FETCHD_TEST_SCHEMA}\" }\n"
                        "source s { table = '${FETCHD_TEST_SCHEMA}'\n"
                        " key = \"${FETCHD_TEST_NONE:-a b}\" columns = \"\\${X}\" }\n");
    assert_string_equal(c->databases[0].schema, "from \"outside\"");
    assert_string_equal(c->sources[0].table, "${FETCHD_TEST_SCHEMA}");
    assert_string_equal(c->sources[0].key, "a b");
    assert_string_equal(c->sources[0].columns[0], "${X}");
    config_free(&c);
    unsetenv("FETCHD_TEST_SCHEMA");
}

static void
the_command_line_wins_over_the_file(void **state)
{
    static const char *const listens[] = { "127.0.0.1:0", "unix:/run/a.sock" };
    struct config_overrides over = { .listens = listens,
                                     .nlistens = 2,
                                     .workers = "5",
                                     .user = "nobody",
                                     .deadline = "1m",
                                     .log_level = "debug",
                                     .pid_file = "/run/p" };
    struct fixture *f = *state;
    struct config *c =
        fixture_load_with(f, FIXTURE_BASE "workers = 2\nlisten = ':9'\n", &over);

    assert_non_null(c);
    assert_int_equal(c->workers, 5);
    assert_int_equal(c->nlistens, 2);
    assert_string_equal(c->listens[0].text, "127.0.0.1:0");
    assert_string_equal(c->user, "nobody");
    assert_string_equal(c->pid_file, "/run/p");
    assert_int_equal(c->deadline_ms, 60000);
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    config_free(&c);

    over.workers = "many";
    assert_null(fixture_load_with(f, FIXTURE_BASE, &over));
    assert_string_equal(fixture_error(f),
                        "--workers: expected a number from 0 to 256, got \"many\"");
}

static struct config *
load_url(struct fixture *f, const char *url, const char *table)
{
    struct config_overrides over = { .database_url = url, .table = table };

    return config_load(NULL, &over, &f->error);
}

static void
a_url_and_a_table_need_no_file(void **state)
{
    struct fixture *f = *state;
    struct config *c = load_url(f, "mysql://re%40der@[::1]:3307/sh%6fp", "items");

    assert_non_null(c);
    assert_string_equal(c->path, "");
    assert_string_equal(c->databases[0].name, "main");
    assert_string_equal(c->databases[0].user, "re@der");
    assert_string_equal(c->databases[0].host, "::1");
    assert_int_equal(c->databases[0].port, 3307);
    assert_string_equal(c->databases[0].schema, "shop");
    assert_string_equal(c->sources[0].name, "items");
    assert_string_equal(c->sources[0].table, "items");
    assert_string_equal(c->sources[0].key, "id");
    config_free(&c);

    c = load_url(f, "mysql://root@localhost:1/shop?socket=/run/my%20sql.sock",
                 "my.items");
    assert_non_null(c);
    assert_null(c->databases[0].host);
    assert_string_equal(c->databases[0].socket, "/run/my sql.sock");
    /* "my.items" would clash with the "@@source.id" form of keys. */
    assert_string_equal(c->sources[0].name, "items");
    assert_string_equal(c->sources[0].table, "my.items");
    config_free(&c);

    c = load_url(f, "mariadb:///shop", "tags");
    assert_non_null(c);
    assert_string_equal(c->databases[0].socket, "/run/mysqld/mysqld.sock");
    assert_string_equal(c->sources[0].name, "tags");
    config_free(&c);
}

static void
a_url_replaces_the_databases_and_sources_of_the_file(void **state)
{
    struct config_overrides over = { .database_url = "mysql://h/other",
                                     .table = "t",
                                     .key = "k" };
    struct config *c =
        fixture_load_with(*state,
                          FIXTURE_BASE "workers = 2 database two { schema = s }\n",
                          &over);

    assert_non_null(c);
    assert_int_equal(c->workers, 2);
    assert_int_equal(c->ndatabases, 1);
    assert_string_equal(c->databases[0].host, "h");
    assert_int_equal(c->nsources, 1);
    assert_string_equal(c->sources[0].key, "k");
    config_free(&c);
}

static void
a_bad_url_is_refused_without_showing_it(void **state)
{
    static const char *const urls[] = {
        "postgres://u@h/geheim",   "mysql://u:geheim@h/s",
        "mysql://u:gehe/im@h/s",   "mysql://h:geheim/s",
        "mysql://u:geheim@h",      "mysql://u@h/",
        "mysql://u@h/s?geheim",    "mysql://u@h/s?pw=geheim",
        "mysql://[::1/geheim",     "mysql://u@h/s?socket=geheim%0",
        "mysql://u@h%00/s",        "mysql://h:99999/s",
        "mysql://u@h/s?socket=/x",
    };
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < ARRAY_LEN(urls); i++) {
        if (load_url(f, urls[i], "t") != NULL)
            fail_msg("%s was accepted", urls[i]);
        assert_memory_equal(fixture_error(f), "--database: ", 12);
        assert_null(strstr(fixture_error(f), "geheim"));
    }
    assert_null(load_url(f, "mysql://u@h/s", NULL));
    assert_string_equal(fixture_error(f),
                        "--database URL and --table NAME need each other");
    assert_null(config_load(NULL, NULL, &f->error));
    assert_string_equal(fixture_error(f),
                        "database: none is defined; give a \"database\" section in a "
                        "file (-c FILE), or --database URL --table NAME");
}

static struct config *
load_option_file(struct fixture *f, const char *section, const char *text)
{
    char config[512];

    fixture_write(f, "db.cnf", text);
    snprintf(config, sizeof(config),
             "database main { schema = s %s option_file = '%s/db.cnf' }\n"
             "source items { table = t }\n",
             section, f->dir);
    return fixture_accepts(f, config);
}

static void
an_option_file_fills_what_the_section_leaves_open(void **state)
{
    struct fixture *f = *state;
    struct config *c = load_option_file(f, "password = 'weak'",
                                        "# mine\n"
                                        "[mysqld]\nuser=mysql\nport=1\n"
                                        "[client]\n"
                                        "!includedir /etc/x\n"
                                        "user = reader # the one\n"
                                        " password = 'a#b\\\\c\\s\\\"\\'' \n"
                                        "host=\"db\"\r\nport=3399\n"
                                        "ssl-ca = /x\npassword\n; end\n"
                                        "[ client-mariadb ]\nhost = db2\n"
                                        "[mysqldump]\nhost = db3");

    assert_string_equal(c->databases[0].user, "reader");
    assert_string_equal(c->databases[0].password, "a#b\\c \"'");
    assert_string_equal(c->databases[0].host, "db2");
    assert_int_equal(c->databases[0].port, 3399);
    config_free(&c);

    c = load_option_file(f, "user = me socket = '/s'",
                         "[fetchd]\nuser=you\nhost=h\nport=9\n");
    assert_string_equal(c->databases[0].user, "me");
    assert_string_equal(c->databases[0].socket, "/s");
    assert_null(c->databases[0].host);
    assert_int_equal(c->databases[0].port, 3306);
    config_free(&c);

    /* As the clients do it: "localhost" beside a socket is the socket. */
    c = load_option_file(f, "", "[client]\nhost=localhost\nsocket=/run/x.sock\n");
    assert_null(c->databases[0].host);
    assert_string_equal(c->databases[0].socket, "/run/x.sock");
    config_free(&c);
}

static void
a_bad_option_file_is_named(void **state)
{
    struct fixture *f = *state;
    char text[512], error[512];

    fixture_refuses(f,
                    "database main {\n option_file = '/nowhere/x.cnf'\n schema = s }\n"
                    "source s { table = t }\n",
                    ":2: database main: option_file: cannot read /nowhere/x.cnf: No "
                    "such file or directory");
    fixture_write(f, "db.cnf", "[client]\n\nport = many\n");
    snprintf(text, sizeof(text),
             "database main { schema = s option_file = '%s/db.cnf' }\n"
             "source s { table = t }\n",
             f->dir);
    assert_null(fixture_load(f, text));
    snprintf(error, sizeof(error),
             "%s/db.cnf:3: database main: port: expected a number from 1 to 65535, got "
             "\"many\"",
             f->dir);
    assert_string_equal(fixture_error(f), error);
}

static void
the_password_of_the_environment_wins_and_survives_its_wiping(void **state)
{
    struct fixture *f = *state;
    const char *in_place;
    struct config *c;

    setenv(VARIABLE, "", 1);
    c = load_option_file(f, "password = weak", "[client]\npassword=better\n");
    assert_string_equal(c->databases[0].password, "better");
    config_free(&c);

    setenv(VARIABLE, "best", 1);
    in_place = getenv(VARIABLE);
    c = load_option_file(f, "password = weak", "[client]\npassword=better\n");
    assert_string_equal(c->databases[0].password, "best");
    config_free(&c);

    config_wipe_environment();
    assert_null(getenv(VARIABLE));
    assert_string_equal(in_place, "");
    config_wipe_environment();
    c = load_option_file(f, "", "");
    assert_string_equal(c->databases[0].password, "best");
    config_free(&c);
}

static void
hosts_are_resolved_to_numbers(void **state)
{
    struct fixture *f = *state;
    struct config *c = fixture_accepts(f, "database a { host = '192.0.2.7' schema = s }\n"
                                          "database b { schema = s }\n"
                                          "database c { host = '::1' schema = s }\n"
                                          "database d { host = localhost schema = s }\n"
                                          "source x { database = a table = t }\n");
    int round;

    for (round = 0; round < 2; round++) {
        assert_true(config_resolve(c, &f->error));
        assert_int_equal(c->databases[0].nhost_addrs, 1);
        assert_string_equal(c->databases[0].host_addrs[0], "192.0.2.7");
        assert_int_equal(c->databases[1].nhost_addrs, 0);
        assert_string_equal(c->databases[2].host_addrs[0], "::1");
        assert_in_range(c->databases[3].nhost_addrs, 1, CONFIG_HOST_ADDRS);
    }
    config_free(&c);

    /* Refused by the library itself: no name server is asked. */
    c = fixture_accepts(f, "database a { host = 'no such..host' schema = s }\n"
                           "source x { table = t }\n");
    assert_false(config_resolve(c, &f->error));
    assert_non_null(
        strstr(fixture_error(f), "database a: cannot resolve \"no\\x20such..host\": "));
    config_free(&c);
}

static void
what_is_printed_loads_to_the_same_again(void **state)
{
    static const char text[] =
        "listen = { ':7070', 'unix:/a b.sock' } workers = 3 backlog = 7 user = "
        "'u\"\\\\$'\n"
        "deadline = 1500ms drain_timeout = 0 log_level = warn pid_file = '/run/p'\n"
        "limits { line = 1025 item = 3M output_timeout = 2m }\n"
        "database one { host = h port = 1 schema = \"\xc3\xa4\\n${NO_ONE:-}\" }\n"
        "database two { schema = \"a\\\\b\" user = 'x\\y' password = p reconnect_max = "
        "1m }\n"
        "source a { database = two table = \"\\${T}\" key = k columns = { c, 'd \"e\"' } "
        "}\n"
        "source b { database = one table = t }\n";
    struct fixture *f = *state;
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct config *c = fixture_accepts(f, text);

    config_print(c, &first);
    buf_append_char(&first, '\0');
    config_free(&c);
    assert_non_null(strstr(first.data, "password          = \"***\"\n"));
    c = fixture_accepts(f, first.data);
    config_print(c, &second);
    buf_append_char(&second, '\0');
    assert_string_equal(first.data, second.data);
    assert_string_equal(c->user, "u\"\\$");
    assert_string_equal(c->databases[0].schema, "\xc3\xa4\n");
    assert_string_equal(c->sources[0].table, "${T}");
    assert_string_equal(c->sources[0].columns[1], "d \"e\"");
    config_free(&c);
    buf_fini(&first);
    buf_fini(&second);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_small_file_gets_every_default),
        TEST(values_may_be_bare_or_quoted_and_comments_stand_anywhere),
        TEST(sources_keep_the_order_of_the_file),
        TEST(paths_become_absolute),
        TEST(variables_are_expanded_in_double_quotes_only),
        TEST(the_command_line_wins_over_the_file),
        TEST(a_url_and_a_table_need_no_file),
        TEST(a_url_replaces_the_databases_and_sources_of_the_file),
        TEST(a_bad_url_is_refused_without_showing_it),
        TEST(an_option_file_fills_what_the_section_leaves_open),
        TEST(a_bad_option_file_is_named),
        TEST(the_password_of_the_environment_wins_and_survives_its_wiping),
        TEST(hosts_are_resolved_to_numbers),
        TEST(what_is_printed_loads_to_the_same_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
