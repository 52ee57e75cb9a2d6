/*
 * test_http_url.c - which urls and headers an HTTP source may have.
 */
#include "server/config/http_url.h"
#include "tests/unit/config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config_http
made_of(const char *url, const char *body, bool *ok)
{
    struct config_http http = { .url = strdup(url), .body = strdup(body) };
    struct buf why = BUF_INIT;
    const char *option;

    *ok = http_url_split(&http, &option, &why);
    buf_fini(&why);
    return http;
}

static void
unmake(struct config_http *http)
{
    free(http->url);
    free(http->body);
    free(http->host);
    free(http->target);
}

static void
an_url_comes_apart(void **state)
{
    static const struct {
        const char *url;
        bool tls;
        const char *host;
        unsigned port;
        const char *target;
        bool many;
    } list[] = {
        { "http://a/{id}", false, "a", 80, "/{id}", false },
        { "HTTP://a.b-c_d:8080/x/{id}/y?z=1", false, "a.b-c_d", 8080, "/x/{id}/y?z=1",
          false },
        { "https://127.0.0.1/?ids={ids}", true, "127.0.0.1", 443, "/?ids={ids}", true },
        { "http://[::1]:65535?{ids}&a=%20", false, "::1", 65535, "/?{ids}&a=%20", true },
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(list); i++) {
        bool ok;
        struct config_http http = made_of(list[i].url, "", &ok);

        assert_true(ok);
        assert_int_equal(http.tls, list[i].tls);
        assert_string_equal(http.host, list[i].host);
        assert_int_equal(http.port, list[i].port);
        assert_string_equal(http.target, list[i].target);
        assert_int_equal(http.many, list[i].many);
        unmake(&http);
    }
}

static void
what_could_be_taken_for_something_else_is_no_url(void **state)
{
    static const char *const list[] = {
        "",
        "a/{id}",
        "ftp://a/{id}",
        "file:///{id}",
        "http:///{id}",
        "http://{id}/",
        "http://a{id}/",
        "http://user@a/{id}",
        "http://user:word@a/{id}",
        "http://a:/{id}",
        "http://a:0/{id}",
        "http://a:65536/{id}",
        "http://a:8x/{id}",
        "http://a b/{id}",
        "http://a%41/{id}",
        "http://[::1/{id}",
        "http://[::1]x/{id}",
        "http://[a.example]/{id}",
        "http://a/",
        "http://a/{id}/{id}",
        "http://a/{id}?{ids}",
        "http://a/{id}/{name}",
        "http://a/{id}}",
        "http://a/{id}#top",
        "http://a/x y/{id}",
        "http://a/\t{id}",
        "http://a/{id}\n",
        "http://a/\x7f{id}",
        "http://a/\xc3\xa9{id}",
        "http://a/\"{id}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(list); i++) {
        bool ok;
        struct config_http http = made_of(list[i], "", &ok);

        if (ok)
            print_error("accepted: %s\n", list[i]);
        assert_false(ok);
        unmake(&http);
    }
}

static void
a_body_takes_the_placeholder_from_the_url(void **state)
{
    static const struct {
        const char *url, *body;
        bool ok;
    } list[] = {
        { "http://a/", "[{ids}]", true },        { "http://a/", "{\"id\": {id}}", true },
        { "http://a/{id}", "[{ids}]", false },   { "http://a/", "[]", false },
        { "http://a/", "[{ids},{ids}]", false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(list); i++) {
        bool ok;
        struct config_http http = made_of(list[i].url, list[i].body, &ok);

        assert_int_equal(ok, list[i].ok);
        unmake(&http);
    }
}

static void
a_header_cannot_be_two_nor_frame_the_request(void **state)
{
    (void)state;
    assert_true(header_valid("X-A: b"));
    assert_true(header_valid("Authorization: Bearer {token}"));
    assert_true(header_valid("A:"));
    assert_true(header_valid("A: \xc3\xa9\tb"));
    assert_false(header_valid(""));
    assert_false(header_valid("X-A"));
    assert_false(header_valid(": b"));
    assert_false(header_valid("X A: b"));
    assert_false(header_valid("X-A : b"));
    assert_false(header_valid("X-A: b\r\nX-B: c"));
    assert_false(header_valid("X-A: b\n"));
    assert_false(header_valid("X-A: \x7f"));
    assert_false(header_valid("Host: b"));
    assert_false(header_valid("HOST:b"));
    assert_false(header_valid("content-length: 3"));
    assert_false(header_valid("Transfer-Encoding: chunked"));
    assert_false(header_valid("Connection: close"));
}

static void
a_source_is_a_table_or_an_url(void **state)
{
    struct fixture *f = *state;
    struct config *c =
        fixture_accepts(f, FIXTURE_BASE "source a { url = \"https://b/{id}\" }\n");

    assert_int_equal(c->sources[0].kind, CONFIG_TABLE);
    assert_int_equal(c->sources[1].kind, CONFIG_URL);
    config_free(&c);
    fixture_refuses(f, "source a {\n url = \"http://b/{id}\"\n table = t\n}\n",
                    ":3: source a: table: not for a source with an url");
    fixture_refuses(f, FIXTURE_BASE "source a { table = t\n ids_max = 5 }\n",
                    ":4: source a: ids_max: only for a source with an url");
    fixture_refuses(f, "source a {\n url = \"http://b/{ids}\"\n match = \"\" }\n",
                    ":1: source a: match: required with {ids}: the field of an item that "
                    "holds its id");
    fixture_refuses(f, "source a {\n url = \"http://b/{id}\"\n verify = maybe }\n",
                    ":3: source a: verify: expected yes or no, got \"maybe\"");
}

static void
a_server_of_apis_alone_needs_no_database(void **state)
{
    struct config *c = fixture_accepts(*state, "source a { url = \"http://b/{id}\" }\n");

    assert_int_equal(c->ndatabases, 0);
    config_free(&c);
}

static void
a_token_is_read_from_its_file_and_never_shown(void **state)
{
    struct fixture *f = *state;
    char text[400];
    struct buf out = BUF_INIT;
    struct config *c;

    snprintf(text, sizeof(text),
             "source a { url = \"http://b/{id}\" token_file = \"%s\"\n"
             " headers = { \"X-Key: {token}\", \"X-Other: geheimnis\" } }\n",
             fixture_write(f, "token", "geheim\n"));
    c = fixture_accepts(f, text);
    assert_string_equal(c->sources[0].http.token, "geheim");
    config_print(c, &out);
    buf_append_char(&out, '\0');
    assert_null(strstr(out.data, "geheim"));
    assert_non_null(strstr(out.data, "{ \"X-Key: ***\", \"X-Other: ***\" }"));
    buf_fini(&out);
    config_free(&c);
    fixture_write(f, "token", "two words\n");
    assert_null(fixture_load(f, text));
    assert_null(strstr(fixture_error(f), "two words"));
    fixture_refuses(f, "source a { url = \"http://b/{id}\"\n headers = \"A: {token}\" }",
                    ":2: source a: headers: expected a token_file, as a header has "
                    "{token}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_url_comes_apart),
        cmocka_unit_test(what_could_be_taken_for_something_else_is_no_url),
        cmocka_unit_test(a_body_takes_the_placeholder_from_the_url),
        cmocka_unit_test(a_header_cannot_be_two_nor_frame_the_request),
        cmocka_unit_test_setup_teardown(a_source_is_a_table_or_an_url, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_server_of_apis_alone_needs_no_database,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_token_is_read_from_its_file_and_never_shown,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
