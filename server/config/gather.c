/*
 * gather.c - everything that was said, from every place, as settings.
 *
 * Precedence is a matter of order here: of two settings of one option the later one
 * wins, and what must not win is not added.
 */
#include "server/config/gather.h"

#include "server/config/config.h"
#include "server/config/file.h"
#include "server/config/optionfile.h"
#include "server/config/secret.h"
#include "server/config/url.h"

#include <string.h>

/* Names of the one database and source that the command line can describe. */
#define LONE_DATABASE "main"
#define LONE_SOURCE "items"

static struct origin
flag_origin(const char *flag)
{
    return (struct origin){ NULL, 0, flag };
}

static void
override(struct settings *s, const char *flag, const char *name, const char *value)
{
    if (value != NULL)
        settings_add(s, option_find(SECTION_TOP, name), "", value, false,
                     flag_origin(flag));
}

/* A source is called like its table when that makes a good name, so that "sources"
 * and "source:id" read as they would with a file. */
static const char *
lone_source_name(const char *table)
{
    if (section_title_valid(table))
        return table;
    return LONE_SOURCE;
}

/* "--database" describes all there is: the file's databases, sources and views go. */
static bool
override_database(struct settings *s, const struct config_overrides *over,
                  struct buf *error)
{
    const char *source;

    if (over->database_url == NULL && over->table == NULL && over->key == NULL)
        return true;
    if (over->database_url == NULL || over->table == NULL) {
        buf_clear(error);
        buf_append_fmt(error, "--database URL and --table NAME need each other");
        return false;
    }
    settings_drop_section(s, SECTION_DATABASE);
    settings_drop_section(s, SECTION_SOURCE);
    settings_drop_section(s, SECTION_VIEW);
    settings_drop_section(s, SECTION_PART);
    settings_drop(s, option_find(SECTION_TOP, "default"));
    settings_declare(s, SECTION_DATABASE, LONE_DATABASE, flag_origin("--database"));
    if (!url_read(over->database_url, LONE_DATABASE, s, error))
        return false;
    source = lone_source_name(over->table);
    settings_declare(s, SECTION_SOURCE, source, flag_origin("--table"));
    settings_add(s, option_find(SECTION_SOURCE, "table"), source, over->table, false,
                 flag_origin("--table"));
    if (over->key != NULL)
        settings_add(s, option_find(SECTION_SOURCE, "key"), source, over->key, false,
                     flag_origin("--key"));
    return true;
}

static bool
gather_overrides(struct settings *s, const struct config_overrides *over,
                 struct buf *error)
{
    const struct option *listen = option_find(SECTION_TOP, "listen");
    size_t i;

    override(s, "--workers", "workers", over->workers);
    override(s, "--user", "user", over->user);
    override(s, "--pid-file", "pid_file", over->pid_file);
    override(s, "--deadline", "deadline", over->deadline);
    override(s, "--log-level", "log_level", over->log_level);
    if (over->nlistens > 0)
        settings_drop(s, listen);
    for (i = 0; i < over->nlistens; i++)
        settings_add(s, listen, "", over->listens[i], i > 0, flag_origin("--listen"));
    return override_database(s, over, error);
}

static bool
given(const struct settings *s, const char *title, const char *name)
{
    return settings_find(s, SECTION_DATABASE, title, name) != NULL;
}

static void
take(struct settings *s, const struct settings *file, const char *title, const char *name)
{
    const struct setting *one = settings_find(file, SECTION_DATABASE, title, name);

    if (one != NULL)
        settings_add(s, one->option, title, one->value, false, one->origin);
}

/* What the option file says about the way to the server counts only when the section
 * says nothing about it: half of one way and half of another would lead nowhere.
 * Of a host and a socket in one option file the clients take the socket only for
 * "localhost". */
static void
take_way(struct settings *s, const struct settings *file, const char *title)
{
    const struct setting *host = settings_find(file, SECTION_DATABASE, title, "host");
    bool use_host = host != NULL && (strcmp(host->value, "localhost") != 0 ||
                                     !given(file, title, "socket"));

    if (given(s, title, "host") || given(s, title, "socket"))
        return;
    if (!given(s, title, "port"))
        take(s, file, title, "port");
    take(s, file, title, use_host ? "host" : "socket");
}

static bool
gather_option_file(struct settings *s, const char *title, struct buf *error)
{
    const struct setting *path = settings_find(s, SECTION_DATABASE, title, "option_file");
    struct settings file = SETTINGS_INIT;
    bool ok;

    if (path == NULL)
        return true;
    if ((ok = optionfile_read(path->value, title, &file, error))) {
        take(s, &file, title, "password");
        if (!given(s, title, "user"))
            take(s, &file, title, "user");
        take_way(s, &file, title);
        s->failed = s->failed || file.failed;
    } else {
        struct buf reason = *error;

        *error = (struct buf)BUF_INIT;
        settings_blame(error, path->origin, SECTION_DATABASE, title, "option_file",
                       "%.*s", SPAN_FMT(buf_span(&reason)));
        buf_fini(&reason);
    }
    settings_fini(&file);
    return ok;
}

/* Runs last: files and the command line have named all databases by then. */
static bool
gather_secrets(struct settings *s, struct buf *error)
{
    const char *password = secret_password();
    size_t i;

    for (i = 0; i < s->nsections; i++) {
        const char *title = s->sections[i].title;

        if (s->sections[i].section != SECTION_DATABASE)
            continue;
        if (!gather_option_file(s, title, error))
            return false;
        if (password != NULL)
            settings_add(s, option_find(SECTION_DATABASE, "password"), title, password,
                         false, flag_origin(SECRET_VARIABLE));
    }
    return true;
}

bool
settings_gather(struct settings *s, const char *path, const struct config_overrides *over,
                struct buf *error)
{
    return (path == NULL || config_file_read(path, s, error)) &&
           (over == NULL || gather_overrides(s, over, error)) && gather_secrets(s, error);
}
