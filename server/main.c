/*
 * main.c - arguments, configuration, and over to the master.
 */
#include "common/log.h"
#include "common/log_sink.h"
#include "common/process.h"
#include "server/config/config.h"
#include "server/master/activation.h"
#include "server/master/ask.h"
#include "server/master/carry.h"
#include "server/master/daemon.h"
#include "server/master/identity.h"
#include "server/master/master.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#ifndef FETCHD_SYSCONFDIR
#define FETCHD_SYSCONFDIR "/etc"
#endif
#define DEFAULT_FILE FETCHD_SYSCONFDIR "/fetchd/fetchd.conf"

#define LISTENS_MAX 64

struct arguments {
    const char *path;
    bool path_is_default;
    bool check;
    bool print;
    bool daemonize;
    bool wait;
    const char *ask;
    const char *listens[LISTENS_MAX];
    struct config_overrides over;
};

static const char usage[] =
    "Usage: fetchd [-c FILE] [options]\n"
    "       fetchd --database mysql://USER@HOST:PORT/SCHEMA --table TABLE [options]\n"
    "\n"
    "Serves items by id: \"fetch 1 2 3\" over TCP, rows of MariaDB and answers of HTTP "
    "APIs\n"
    "as JSON, one line each.\n"
    "\n"
    "  -c, --config FILE    read FILE (default: " DEFAULT_FILE ",\n"
    "                       unless --database is given)\n"
    "  -t, --test           check the configuration and say so; starts nothing\n"
    "  -T, --print          print the effective configuration, passwords masked\n"
    "  -d, --daemon         go into the background once every worker serves; messages go "
    "to\n"
    "                       \"log\", which is standard error by default: only if that "
    "is\n"
    "                       neither a terminal nor a pipe\n"
    "  -s, --signal WORD    tell the running server that has this pid file: stop, quit "
    "(both\n"
    "                       finish what was asked; again: at once), reload, reopen "
    "(logs),\n"
    "                       upgrade (to the program installed now) or status\n"
    "      --wait           with -s: return when it is done, not when it has begun\n"
    "      --options        list every option: name, type, default, range, reload, help\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version\n"
    "\n"
    "Without a file:\n"
    "      --database URL   mysql://USER@HOST:PORT/SCHEMA, or with ?socket=/PATH for a "
    "unix\n"
    "                       socket; the password comes from &option_file=/PATH or from\n"
    "                       the environment: FETCHD_DATABASE_PASSWORD\n"
    "      --table TABLE    the table to serve\n"
    "      --key COLUMN     its key (default: id); needs a unique index of its own\n"
    "\n"
    "Over the file's settings:\n"
    "      --listen ADDR    127.0.0.1:7070, [::1]:7070, unix:/PATH; may be repeated\n"
    "      --workers N      processes; 0: one per core\n"
    "      --user NAME      whom workers become; as root it must be given (\"root\" "
    "too)\n"
    "      --deadline TIME  a request's, such as 200ms\n"
    "      --pid-file FILE\n"
    "      --log-level L    error, warn, info or debug\n"
    "\n"
    "Exit status: 0 stopped or check passed, 1 could not start, 64 wrong arguments,\n"
    "69 already running under this pid file, 78 wrong configuration.\n"
    "Of -s: 0 it worked, 1 it did not, 4 not permitted, 7 not running; of -s status: 0\n"
    "running, 1 dead but its pid file is left, 2 dead but a worker holds its lock, 3 "
    "not\n"
    "running, 4 cannot tell.\n";

enum long_option {
    ARG_OPTIONS = 256,
    ARG_DATABASE,
    ARG_TABLE,
    ARG_KEY,
    ARG_LISTEN,
    ARG_WORKERS,
    ARG_USER,
    ARG_DEADLINE,
    ARG_PID_FILE,
    ARG_LOG_LEVEL,
    ARG_WAIT,
};

/* clang-format off */
static const struct option long_options[] = {
    { "config",    required_argument, NULL, 'c' },
    { "test",      no_argument,       NULL, 't' },
    { "print",     no_argument,       NULL, 'T' },
    { "daemon",    no_argument,       NULL, 'd' },
    { "signal",    required_argument, NULL, 's' },
    { "wait",      no_argument,       NULL, ARG_WAIT },
    { "help",      no_argument,       NULL, 'h' },
    { "version",   no_argument,       NULL, 'V' },
    { "options",   no_argument,       NULL, ARG_OPTIONS },
    { "database",  required_argument, NULL, ARG_DATABASE },
    { "table",     required_argument, NULL, ARG_TABLE },
    { "key",       required_argument, NULL, ARG_KEY },
    { "listen",    required_argument, NULL, ARG_LISTEN },
    { "workers",   required_argument, NULL, ARG_WORKERS },
    { "user",      required_argument, NULL, ARG_USER },
    { "deadline",  required_argument, NULL, ARG_DEADLINE },
    { "pid-file",  required_argument, NULL, ARG_PID_FILE },
    { "log-level", required_argument, NULL, ARG_LOG_LEVEL },
    { NULL, 0, NULL, 0 },
};
/* clang-format on */

static void NORETURN
wrong_arguments(const char *why)
{
    if (why != NULL)
        fprintf(stderr, "fetchd: %s\n", why);
    fprintf(stderr, "Try 'fetchd --help'.\n");
    exit(EX_USAGE);
}

static void NORETURN
print_and_exit(struct buf *text)
{
    struct span s = buf_span(text);
    bool ok = fwrite(s.p, 1, s.n, stdout) == s.n && fflush(stdout) == 0;

    buf_fini(text);
    exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void
take_listen(struct arguments *a, const char *value)
{
    if (a->over.nlistens == LISTENS_MAX)
        wrong_arguments("too many --listen");
    a->listens[a->over.nlistens++] = value;
    a->over.listens = a->listens;
}

/* size: flat switch, one case for each argument */
static void
take_argument(struct arguments *a, int which, const char *value)
{
    struct buf text = BUF_INIT;

    switch (which) {
    case 'c':
        a->path = value;
        break;
    case 't':
        a->check = true;
        break;
    case 'T':
        a->print = true;
        break;
    case 'd':
        a->daemonize = true;
        break;
    case 's':
        a->ask = value;
        break;
    case ARG_WAIT:
        a->wait = true;
        break;
    case 'h':
        BUF_APPEND_LIT(&text, usage);
        print_and_exit(&text);
    case 'V':
        BUF_APPEND_LIT(&text, "fetchd " FETCHD_VERSION "\n");
        print_and_exit(&text);
    case ARG_OPTIONS:
        config_describe_options(&text);
        print_and_exit(&text);
    case ARG_DATABASE:
        a->over.database_url = value;
        break;
    case ARG_TABLE:
        a->over.table = value;
        break;
    case ARG_KEY:
        a->over.key = value;
        break;
    case ARG_LISTEN:
        take_listen(a, value);
        break;
    case ARG_WORKERS:
        a->over.workers = value;
        break;
    case ARG_USER:
        a->over.user = value;
        break;
    case ARG_DEADLINE:
        a->over.deadline = value;
        break;
    case ARG_PID_FILE:
        a->over.pid_file = value;
        break;
    case ARG_LOG_LEVEL:
        a->over.log_level = value;
        break;
    default:
        wrong_arguments(NULL);
    }
}

static void
parse_arguments(struct arguments *a, int argc, char **argv)
{
    int which;

    while ((which = getopt_long(argc, argv, "c:tTds:hV", long_options, NULL)) != -1)
        take_argument(a, which, optarg);
    if (optind < argc)
        wrong_arguments("unexpected argument; options begin with a dash");
    a->path_is_default = a->path == NULL && a->over.database_url == NULL;
    if (a->path_is_default)
        a->path = DEFAULT_FILE;
}

/* For a start and for every reload. */
static struct config *
load(void *arguments, struct buf *error)
{
    const struct arguments *a = arguments;
    struct config *config = config_load(a->path, &a->over, error);

    config_wipe_environment();
    if (config != NULL && !a->check && !a->print && a->ask == NULL &&
        !config_resolve(config, error))
        config_free(&config);
    return config;
}

static struct config *
load_configuration(struct arguments *a)
{
    struct buf error = BUF_INIT;
    struct config *config = load(a, &error);

    if (config == NULL)
        fprintf(stderr, "fetchd: %.*s%s\n", SPAN_FMT(buf_span(&error)),
                a->path_is_default ? " (-c FILE, or --database URL --table NAME)" : "");
    buf_fini(&error);
    return config;
}

/* Asked by a program that wants to be replaced by this one. */
static bool
check_format(struct buf *error)
{
    const char *format = getenv(CARRY_CHECK_VARIABLE);

    if (format == NULL || atoi(format) == CARRY_FORMAT)
        return true;
    buf_append_fmt(error,
                   "the running program hands over in format %s, this one takes %d",
                   format, CARRY_FORMAT);
    return false;
}

/* Everything that would refuse a start and can be known without the database. */
static int
check_configuration(const struct arguments *a, const struct config *config)
{
    struct process_identity identity;
    struct buf error = BUF_INIT;
    bool good = identity_find(config->user, &identity, &error) && check_format(&error);

    if (good && getenv(CARRY_CHECK_VARIABLE) != NULL)
        puts(CARRY_CHECK_ANSWER);
    if (good)
        printf("fetchd: configuration %s is good\n", a->path == NULL ? "" : a->path);
    else
        fprintf(stderr, "fetchd: %.*s\n", SPAN_FMT(buf_span(&error)));
    buf_fini(&error);
    return good ? EXIT_SUCCESS : EX_CONFIG;
}

/* "-s": the pid file is all there is to know, and "--pid-file" says it without a look at
 * a configuration that may be broken by now. */
static int
ask(struct arguments *a)
{
    struct config *config = NULL;
    const char *pid_file = a->over.pid_file;
    enum command_verb verb;
    int code = EX_CONFIG;

    if (!command_parse(a->ask, &verb))
        wrong_arguments("-s: expected stop, quit, reload, reopen, upgrade or status");
    if (pid_file == NULL) {
        if ((config = load_configuration(a)) == NULL) {
            fprintf(stderr, "fetchd: -s needs no configuration with --pid-file FILE\n");
            return code;
        }
        pid_file = config->pid_file;
    }
    if (pid_file[0] == '\0')
        fprintf(stderr, "fetchd: no pid_file is set, so the server cannot be found: give "
                        "--pid-file FILE as it was given to the server (one that runs "
                        "without hears signals only: kill -TERM PID)\n");
    else
        code = ask_master(verb, a->wait, pid_file);
    config_free(&config);
    return code;
}

int
main(int argc, char **argv)
{
    struct arguments a = { 0 };
    struct master_plan plan = { .load = load, .arg = &a };
    struct daemon_launch launch = DAEMON_LAUNCH_INIT;
    struct config *config;
    struct buf text = BUF_INIT;
    int code, carried;

    if ((plan.argv = process_title_init(argc, argv)) == NULL ||
        (plan.program = process_program()) == NULL)
        return EXIT_FAILURE;
    /* In the place of the program before us: what is open was left open for us. */
    if ((carried = carry_find()) == -1) {
        launch.given_fds = activation_take();
        process_own_descriptors(ACTIVATION_FIRST_FD + launch.given_fds);
    }
    log_init("fetchd", LOG_LEVEL_INFO);
    parse_arguments(&a, argc, plan.argv);
    if (a.ask != NULL)
        return ask(&a);
    if ((config = load_configuration(&a)) == NULL)
        return EX_CONFIG;
    if (a.print) {
        config_print(config, &text);
        config_free(&config);
        print_and_exit(&text);
    }
    if (a.check) {
        code = check_configuration(&a, config);
        config_free(&config);
        return code;
    }
    if (log_sink_open(config->log) == -1)
        fatal("cannot open the log %s", config->log);
    log_echo(carried == -1);
    if (a.daemonize && carried == -1 && daemon_begin(&launch) == -1)
        fatal("cannot go into the background");
    return master_run(&plan, config, &launch, carried);
}
