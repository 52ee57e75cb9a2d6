/*
 * url.c - mysql://user@host:port/schema?socket=/path&option_file=/path
 *
 *     scheme  user      host      port   schema  parameters
 *     mysql://fetchd @ [::1]  :  3306  /  shop ? option_file=/etc/fetchd/db.cnf
 */
#include "server/config/url.h"

#include <stdlib.h>
#include <string.h>

struct url {
    char *user;
    char *host;
    char *port;
    char *schema;
    char *parameters;
};

static const struct origin url_origin = { NULL, 0, "--database" };

static bool refuse(struct buf *error, const char *text) MUST_CHECK;

static bool
refuse(struct buf *error, const char *text)
{
    settings_blame(error, url_origin, SECTION_TOP, "", "", "%s", text);
    return false;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%2F" to "/", in place.  false: no two digits after a '%', or a NUL. */
static bool
percent_decode(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        int high, low;

        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        high = hex_digit(text[1]);
        low = high == -1 ? -1 : hex_digit(text[2]);
        if (low == -1 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high << 4 | low);
        text += 2;
    }
    *out = '\0';
    return true;
}

/* Cuts 'text' at 'mark' and returns what follows; NULL when it does not occur. */
static char *
cut(char *text, char mark)
{
    char *at = text == NULL ? NULL : strchr(text, mark);

    if (at != NULL)
        *at++ = '\0';
    return at;
}

static bool
split_host(struct url *u, char *text, struct buf *error)
{
    char *end;

    if (text[0] != '[') {
        u->host = text;
        u->port = cut(text, ':');
        return true;
    }
    if ((end = cut(text, ']')) == NULL || (end[0] != '\0' && end[0] != ':'))
        return refuse(error, "expected an IPv6 address in brackets, such as [::1]");
    u->host = text + 1;
    u->port = end[0] == ':' ? end + 1 : NULL;
    return true;
}

static bool
split(struct url *u, char *text, struct buf *error)
{
    const char *form =
        "expected mysql://user@host:port/schema, with ?socket=/path for a unix socket";
    char *at;

    memset(u, 0, sizeof(*u));
    if (strncmp(text, "mysql://", 8) != 0 && strncmp(text, "mariadb://", 10) != 0)
        return refuse(error, form);
    text = strstr(text, "://") + 3;
    u->parameters = cut(text, '?');
    u->schema = cut(text, '/');
    /* The last '@': the one of "user@company@host" belongs to the user. */
    if ((at = strrchr(text, '@')) != NULL) {
        *at = '\0';
        u->user = text;
        text = at + 1;
        if (strchr(u->user, ':') != NULL)
            return refuse(error, "a password does not belong on the command line, where "
                                 "everybody can read it: use ?option_file=/path or "
                                 "FETCHD_DATABASE_PASSWORD");
    }
    /* A slash or an '@' further on may come from a password that was not encoded. */
    if (u->schema == NULL || u->schema[0] == '\0' || strpbrk(u->schema, "/@") != NULL)
        return refuse(error, form);
    if (!split_host(u, text, error))
        return false;
    if (u->port != NULL && u->port[strspn(u->port, "0123456789")] != '\0')
        return refuse(error, "expected a port from 1 to 65535 after the host");
    return true;
}

static bool
add(struct settings *s, const char *title, const char *name, char *value,
    struct buf *error)
{
    if (value == NULL || value[0] == '\0')
        return true;
    if (!percent_decode(value))
        return refuse(error, "expected two hexadecimal digits after each %, not 00");
    settings_add(s, option_find(SECTION_DATABASE, name), title, value, false, url_origin);
    return true;
}

static bool
add_parameters(struct settings *s, const char *title, char *text, bool *has_socket,
               struct buf *error)
{
    char *one, *value;

    while ((one = strsep(&text, "&")) != NULL) {
        value = cut(one, '=');
        if (value != NULL && strcmp(one, "socket") == 0)
            *has_socket = value[0] != '\0';
        else if (value == NULL || strcmp(one, "option_file") != 0)
            return refuse(error, "after \"?\" expected socket=/path or "
                                 "option_file=/path, joined by \"&\"");
        if (!add(s, title, one, value, error))
            return false;
    }
    return true;
}

bool
url_read(const char *url, const char *title, struct settings *s, struct buf *error)
{
    char *copy = strdup(url);
    bool ok, has_socket = false;
    struct url u;

    if (copy == NULL)
        return refuse(error, "out of memory");
    ok = split(&u, copy, error) &&
         add_parameters(s, title, u.parameters, &has_socket, error) &&
         add(s, title, "user", u.user, error) && add(s, title, "schema", u.schema, error);
    /* Beside a socket, "localhost" and its port say nothing and are often written. */
    if (ok && has_socket && strcmp(u.host, "localhost") == 0)
        u.host = u.port = NULL;
    ok = ok && add(s, title, "host", u.host, error) &&
         add(s, title, "port", u.port, error);
    free(copy);
    return ok;
}
