/*
 * check_source.c - what a source must say, by its kind.
 *
 * A source with an url is an HTTP API, any other is a table; options that only the other
 * kind has are refused where they are written, not ignored.
 */
#include "common/log.h"
#include "server/config/check_rules.h"
#include "server/config/http_url.h"
#include "server/config/slurp.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 4096

static bool
find_database(struct check *k, struct config_source *s)
{
    struct config *c = k->c;
    char shown[LOG_ESCAPE_SIZE];
    size_t i;

    if (s->database[0] == '\0' && c->ndatabases == 1) {
        free(s->database);
        s->database = strdup(c->databases[0].name);
        s->database_index = 0;
        return s->database != NULL;
    }
    if (s->database[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "database",
                      "required, as there is more than one database");
    for (i = 0; i < c->ndatabases; i++) {
        if (strcmp(c->databases[i].name, s->database) == 0) {
            s->database_index = i;
            return true;
        }
    }
    return REFUSE(k, SECTION_SOURCE, s->name, "database",
                  "expected the name of a database section, got \"%s\"",
                  log_escape(span_str(s->database), shown));
}

static bool
check_table(struct check *k, struct config_source *s)
{
    size_t i, j;

    if (!find_database(k, s))
        return false;
    if (s->table[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "table",
                      "required: the table whose rows are the items (or an url)");
    if (s->key[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "key",
                      "expected the column that identifies an item");
    for (i = 0; i < s->ncolumns; i++) {
        for (j = 0; j < i; j++) {
            if (strcmp(s->columns[i], s->columns[j]) == 0)
                return REFUSE(k, SECTION_SOURCE, s->name, "columns",
                              "\"%s\" is listed twice", s->columns[i]);
        }
    }
    return true;
}

/* --- HTTP --------------------------------------------------------------------------- */

static bool
http_refuse(struct check *k, const struct config_source *s, const char *name,
            const struct buf *why)
{
    return REFUSE(k, SECTION_SOURCE, s->name, name, "%.*s", SPAN_FMT(buf_span(why)));
}

/* One word of visible ASCII; a newline at its end is the editor's. */
static bool
token_take(struct config_http *http, struct buf *text)
{
    struct span token = buf_span(text);
    size_t i;

    while (token.n > 0 && strchr(" \t\r\n", token.p[token.n - 1]) != NULL)
        token.n--;
    for (i = 0; i < token.n; i++) {
        if (token.p[i] <= 0x20 || token.p[i] >= 0x7f)
            return false;
    }
    if (token.n == 0 || token.n > TOKEN_MAX)
        return false;
    http->token = strndup(token.p, token.n);
    return http->token != NULL;
}

/* Here, because the file may be one that only root can read. */
static bool
check_token(struct check *k, struct config_source *s)
{
    struct buf text = BUF_INIT, why = BUF_INIT;
    bool wanted = false, ok = true;
    mode_t mode;
    size_t i;

    for (i = 0; i < s->http.headers.n; i++)
        wanted = wanted || text_count(s->http.headers.v[i], "{token}") > 0;
    if (s->http.token_file[0] == '\0') {
        if (wanted)
            return REFUSE(k, SECTION_SOURCE, s->name, "headers",
                          "expected a token_file, as a header has {token}");
        return true;
    }
    if (!slurp(s->http.token_file, &text, &mode, &why))
        ok = http_refuse(k, s, "token_file", &why);
    else if (!token_take(&s->http, &text))
        ok = REFUSE(k, SECTION_SOURCE, s->name, "token_file",
                    "expected one word of at most 4096 visible ASCII characters in %s",
                    s->http.token_file);
    else if ((mode & 07) != 0)
        log_warn("source name=%s token_file=%s mode=%04o can be read by everybody; "
                 "chmod 600 it",
                 s->name, s->http.token_file, (unsigned)mode & 07777);
    slurp_fini(&text);
    buf_fini(&why);
    return ok;
}

static bool
check_word(struct check *k, const struct config_source *s, const char *name,
           const char *value, const char *one, const char *other)
{
    char shown[LOG_ESCAPE_SIZE];

    if (strcmp(value, one) == 0 || strcmp(value, other) == 0)
        return true;
    return REFUSE(k, SECTION_SOURCE, s->name, name, "expected %s or %s, got \"%s\"", one,
                  other, log_escape(span_str(value), shown));
}

static void
warn_if_unverified(const struct config_source *s)
{
    if (s->http.tls && s->http.verify == SWITCH_NO)
        log_warn("source name=%s verify=no: whoever answers at %s is believed", s->name,
                 s->http.host);
}

static bool
check_url(struct check *k, struct config_source *s)
{
    struct config_http *http = &s->http;
    struct buf why = BUF_INIT;
    const char *option;
    bool ok = true;

    if (!http_url_split(http, &option, &why))
        ok = http_refuse(k, s, option, &why);
    buf_fini(&why);
    if (ok && http->many && http->match[0] == '\0')
        return REFUSE(k, SECTION_SOURCE, s->name, "match",
                      "required with {ids}: the field of an item that holds its id");
    ok = ok && check_word(k, s, "key_type", http->key_type, "text", "integer") &&
         check_order(k, SECTION_SOURCE, s->name, "breaker_min", "breaker_max",
                     http->breaker_min_ms <= http->breaker_max_ms) &&
         check_token(k, s);
    if (ok)
        warn_if_unverified(s);
    return ok;
}

/* --- either ------------------------------------------------------------------------- */

/* Nothing that only sources of another kind have. */
static bool
check_strangers(struct check *k, const struct config_source *s)
{
    size_t i;

    for (i = 0; i < k->s->n; i++) {
        const struct setting *one = &k->s->list[i];

        if (one->option->section != SECTION_SOURCE || one->value[0] == '\0' ||
            strcmp(one->title, s->name) != 0 || option_concerns(one->option, s->kind))
            continue;
        return REFUSE(k, SECTION_SOURCE, s->name, one->option->name,
                      s->kind == CONFIG_URL ? "not for a source with an url"
                                            : "only for a source with an url");
    }
    return true;
}

bool
check_source(struct check *k, struct config_source *s)
{
    if (!check_section_name(k, SECTION_SOURCE, s->name))
        return false;
    s->kind = s->http.url[0] != '\0' ? CONFIG_URL : CONFIG_TABLE;
    return check_strangers(k, s) &&
           (s->kind == CONFIG_URL ? check_url(k, s) : check_table(k, s));
}
