/*
 * optionfile.c - my.cnf style option files, where MariaDB's clients keep passwords.
 *
 * Read as the clients read them: '#' and ';' begin a comment line, '#' outside
 * quotes ends any line, a value may stand in single or double quotes, and the
 * escapes \b \t \n \r \\ \s \" \' are known.  The one in libmariadb would be handier, but
 * reports nothing: a file that is missing or not readable is passed over silently.
 */
#include "server/config/optionfile.h"

#include "common/log.h"
#include "server/config/slurp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLANKS " \t\r\n"

static const char *const groups[] = { "client", "client-server", "client-mariadb",
                                      "fetchd" };

static const char *const keys[] = { "user", "password", "host", "port", "socket" };

struct reader {
    const char *path;
    const char *title;
    struct settings *settings;
    unsigned line;
    bool ours; /* inside one of the groups */
    bool has_password;
};

static bool
listed(const char *const *list, size_t n, const char *name)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(list[i], name) == 0)
            return true;
    }
    return false;
}

/* Cuts blanks off both ends, in place. */
static char *
trim(char *text)
{
    size_t n;

    text += strspn(text, BLANKS);
    for (n = strlen(text); n > 0 && strchr(BLANKS, text[n - 1]) != NULL;)
        n--;
    text[n] = '\0';
    return text;
}

/* Ends the line at a '#' outside quotes, as the clients do: a password with a '#'
 * needs quotes. */
static void
cut_comment(char *text)
{
    char quote = '\0';

    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0') {
            text++;
        } else if (quote != '\0') {
            if (*text == quote)
                quote = '\0';
        } else if (*text == '\'' || *text == '"') {
            quote = *text;
        } else if (*text == '#') {
            *text = '\0';
            return;
        }
    }
}

/* Removes quotes and resolves escapes, in place. */
static char *
unquote(char *text)
{
    static const char from[] = "btnr\\s\"'", to[] = "\b\t\n\r\\ \"'";
    size_t n = strlen(text);
    char *in, *out;

    if (n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n - 1] == text[0]) {
        text[n - 1] = '\0';
        text++;
    }
    for (in = out = text; *in != '\0'; in++) {
        const char *known = NULL;

        if (*in == '\\' && in[1] != '\0')
            known = strchr(from, in[1]);
        if (known != NULL)
            in++;
        *out++ = known == NULL ? *in : to[known - from];
    }
    *out = '\0';
    return text;
}

static void
read_group(struct reader *r, char *text)
{
    char *end = strchr(text, ']');

    if (end != NULL)
        *end = '\0';
    r->ours = end != NULL && listed(groups, ARRAY_LEN(groups), trim(text + 1));
}

static void
read_pair(struct reader *r, char *text)
{
    struct origin origin = { r->path, r->line, NULL };
    char *value = strchr(text, '='), *key, *p;

    /* "password" without a value asks a person to type it: nobody is there. */
    if (value == NULL)
        return;
    *value++ = '\0';
    key = trim(text);
    for (p = key; *p != '\0'; p++) {
        if (*p == '-')
            *p = '_';
    }
    if (!listed(keys, ARRAY_LEN(keys), key))
        return;
    cut_comment(value);
    value = unquote(trim(value));
    if (strcmp(key, "password") == 0)
        r->has_password = value[0] != '\0';
    settings_add(r->settings, option_find(SECTION_DATABASE, key), r->title, value, false,
                 origin);
}

static void
read_line(struct reader *r, char *line)
{
    char *text = trim(line);

    if (text[0] == '!')
        log_warn("option file=%s line=%u is not followed: fetchd reads no included files",
                 r->path, r->line);
    else if (text[0] == '[')
        read_group(r, text);
    else if (r->ours && text[0] != '#' && text[0] != ';')
        read_pair(r, text);
}

bool
optionfile_read(const char *path, const char *title, struct settings *s,
                struct buf *error)
{
    struct reader r = { path, title, s, 0, false, false };
    struct buf text = BUF_INIT;
    char *line, *rest;
    mode_t mode;
    bool ok;

    if ((ok = slurp(path, &text, &mode, error))) {
        for (rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
            r.line++;
            read_line(&r, line);
        }
        if (r.has_password && S_ISREG(mode) && (mode & 077) != 0)
            log_warn("option file=%s mode=%04o holds a password that other users may "
                     "read; chmod 600 it",
                     path, (unsigned)mode & 07777);
    }
    slurp_fini(&text);
    return ok;
}
