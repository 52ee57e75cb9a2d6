/*
 * identity.c - whom the workers become.
 */
#include "server/master/identity.h"

#include "common/log.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

bool
identity_find(const char *user, struct process_identity *out, struct buf *error)
{
    const struct passwd *pw;

    *out = (struct process_identity){ .change = false };
    if (user[0] == '\0') {
        if (geteuid() != 0)
            return true;
        BUF_APPEND_LIT(error, "refusing to serve as root: set user "
                              "(user = \"root\" if you mean it)");
        return false;
    }
    /* cppcheck-suppress getpwnamCalled ; one thread */
    if ((pw = getpwnam(user)) == NULL) {
        buf_append_fmt(error,
                       "user \"%s\" does not exist; create it with: adduser --system "
                       "--group --no-create-home %s",
                       user, user);
        return false;
    }
    if (geteuid() != 0 && pw->pw_uid != geteuid()) {
        buf_append_fmt(error, "cannot become user \"%s\": not started as root", user);
        return false;
    }
    snprintf(out->name, sizeof(out->name), "%s", user);
    out->change = geteuid() == 0 && pw->pw_uid != 0;
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    return true;
}

bool
identity_choose(const char *user, struct process_identity *out)
{
    struct buf error = BUF_INIT;
    bool ok = identity_find(user, out, &error);

    if (!ok)
        log_error("%.*s", SPAN_FMT(buf_span(&error)));
    buf_fini(&error);
    return ok;
}
