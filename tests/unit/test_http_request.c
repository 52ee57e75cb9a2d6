/*
 * test_http_request.c - an id is one segment, one value, whatever its bytes.
 */
#include "server/source/http_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMON                                                              \
    "User-Agent: fetchd/" FETCHD_VERSION "\r\nAccept: application/json\r\n" \
    "Accept-Encoding: identity\r\n"

static char the_host[] = "api", the_type[] = "text";

static struct config_http
http_for(char *target, char *body)
{
    struct config_http http = {
        .host = the_host, .port = 80, .key_type = the_type, .target = target, .body = body
    };

    http.many = strstr(body[0] != '\0' ? body : target, "{ids}") != NULL;
    return http;
}

static void
check_request(const struct config_http *http, const struct span *ids, size_t n,
              const char *expected)
{
    struct http_template t;
    struct buf out = BUF_INIT;

    assert_true(http_template_init(&t, http));
    assert_int_equal(http_template_build(&t, ids, n, &out), HTTP_BUILT);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_fini(&out);
    http_template_fini(&t);
}

static void
a_get_holds_the_id_encoded(void **state)
{
    static const struct {
        struct span id;
        const char *encoded;
    } list[] = {
        { SPAN("1"), "1" },
        { SPAN("aZ09-._~"), "aZ09-._~" },
        { SPAN("a b\r\nX: 1"), "a%20b%0D%0AX%3A%201" },
        { SPAN("../../etc"), "..%2F..%2Fetc" },
        { SPAN("a\0b"), "a%00b" },
        { SPAN("%00"), "%2500" },
        { SPAN("?x=1&y"), "%3Fx%3D1%26y" },
        { SPAN("#f"), "%23f" },
        { SPAN("@host:80"), "%40host%3A80" },
        { SPAN("\xc3\xa9\xf0\x9f\x98\x80"), "%C3%A9%F0%9F%98%80" },
        { SPAN("\xff\x7f;,+*'\"<>{}|\\^`[]!$()"),
          "%FF%7F%3B%2C%2B%2A%27%22%3C%3E%7B%7D%7C%5C%5E%60%5B%5D%21%24%28%29" },
    };
    char target[] = "/i/{id}/x?y=z", none[] = "";
    struct config_http http = http_for(target, none);
    char expected[400];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(list); i++) {
        snprintf(expected, sizeof(expected),
                 "GET /i/%s/x?y=z HTTP/1.1\r\nHost: api\r\n" COMMON "\r\n",
                 list[i].encoded);
        check_request(&http, &list[i].id, 1, expected);
    }
}

static void
many_ids_are_joined_by_commas_that_are_not_theirs(void **state)
{
    const struct span ids[] = { SPAN("1"), SPAN("a,b"), SPAN("..") };
    char target[] = "/?ids={ids}&x", none[] = "";
    struct config_http http = http_for(target, none);

    (void)state;
    check_request(&http, ids, 3,
                  "GET /?ids=1,a%2Cb,..&x HTTP/1.1\r\nHost: api\r\n" COMMON "\r\n");
}

static void
a_body_holds_the_ids_as_json(void **state)
{
    const struct span ids[] = { SPAN("1"), SPAN("a\"\\\r\n"), SPAN("a\0b") };
    char target[] = "/x", body[] = "{\"ids\":[{ids}]}", type[] = "integer";
    struct config_http http = http_for(target, body);

    (void)state;
    check_request(&http, ids, 3,
                  "POST /x HTTP/1.1\r\nHost: api\r\n" COMMON
                  "Content-Type: application/json\r\nContent-Length: 36\r\n\r\n"
                  "{\"ids\":[\"1\",\"a\\\"\\\\\\r\\n\",\"a\\u0000b\"]}");
    http.key_type = type;
    check_request(&http, ids, 1,
                  "POST /x HTTP/1.1\r\nHost: api\r\n" COMMON
                  "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n"
                  "{\"ids\":[1]}");
}

static void
headers_are_the_configurations(void **state)
{
    char target[] = "/{id}", none[] = "", host[] = "::1", token[] = "geheim";
    char agent[] = "user-agent: me", key[] = "X-Key: {token}";
    char *both[] = { agent, key };
    struct config_http http = http_for(target, none);
    const struct span id = SPAN("1");

    (void)state;
    http.host = host;
    http.port = 8080;
    http.token = token;
    check_request(&http, &id, 1,
                  "GET /1 HTTP/1.1\r\nHost: [::1]:8080\r\n" COMMON
                  "Authorization: Bearer geheim\r\n\r\n");
    http.headers = (struct config_texts){ both, 2 };
    check_request(&http, &id, 1,
                  "GET /1 HTTP/1.1\r\nHost: [::1]:8080\r\nAccept: application/json\r\n"
                  "Accept-Encoding: identity\r\nuser-agent: me\r\nX-Key: geheim\r\n\r\n");
    http.tls = true;
    http.port = 443;
    http.headers.n = 0;
    http.token = NULL;
    check_request(&http, &id, 1, "GET /1 HTTP/1.1\r\nHost: [::1]\r\n" COMMON "\r\n");
}

static void
dots_alone_are_no_segment(void **state)
{
    static const struct {
        const char *target;
        const char *id;
        bool takes;
    } list[] = {
        { "/{id}", ".", false },       { "/{id}", "..", false },
        { "/{id}", "...", true },      { "/{id}", "a", true },
        { "/{id}/x", "..", false },    { "/.{id}", ".", false },
        { "/.{id}?x", ".", false },    { "/{id}.", ".", false },
        { "/a{id}", "..", true },      { "/{id}.json", "..", true },
        { "/x?id={id}", "..", true },  { "/?{id}", ".", true },
        { "/x/{ids}/y", "..", false },
    };
    char none[] = "", body[] = "[{ids}]", plain[] = "/";
    struct config_http http;
    struct http_template t;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(list); i++) {
        char *target = strdup(list[i].target);

        http = http_for(target, none);
        assert_true(http_template_init(&t, &http));
        assert_int_equal(http_template_takes(&t, span_str(list[i].id)), list[i].takes);
        http_template_fini(&t);
        free(target);
    }
    http = http_for(plain, body);
    assert_true(http_template_init(&t, &http));
    assert_true(http_template_takes(&t, SPAN("..")));
    http_template_fini(&t);
}

static void
a_target_too_long_asks_for_fewer_ids(void **state)
{
    char target[] = "/?{ids}", none[] = "", id[251];
    struct config_http http = http_for(target, none);
    struct span ids[20];
    struct http_template t;
    struct buf out = BUF_INIT;
    size_t i;

    (void)state;
    memset(id, '/', sizeof(id));
    for (i = 0; i < ARRAY_LEN(ids); i++)
        ids[i] = span_of(id, 250);
    assert_true(http_template_init(&t, &http));
    assert_int_equal(http_template_build(&t, ids, 20, &out), HTTP_BUILT_TOOLONG);
    buf_clear(&out);
    assert_int_equal(http_template_build(&t, ids, 9, &out), HTTP_BUILT);
    buf_fini(&out);
    http_template_fini(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_holds_the_id_encoded),
        cmocka_unit_test(many_ids_are_joined_by_commas_that_are_not_theirs),
        cmocka_unit_test(a_body_holds_the_ids_as_json),
        cmocka_unit_test(headers_are_the_configurations),
        cmocka_unit_test(dots_alone_are_no_segment),
        cmocka_unit_test(a_target_too_long_asks_for_fewer_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
