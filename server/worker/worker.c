/*
 * worker.c - the life of a worker and the turn of its loop.
 *
 * Owns: the event base and the order in which a turn's duties are done:
 *
 *     events   requests in, rows in, deadlines
 *     settle   small fetches are looked up together
 *     send     batches leave for the sources
 *     write    to those to whom there is little to say
 *     some of  parse   what clients sent earlier and had no room for
 *              plan    each key becomes a want, and leaves
 *              write   one write per client
 *              free    what closed
 *     beat
 */
#include "server/worker/worker.h"

#include "common/log.h"
#include "common/log_sink.h"
#include "common/process.h"
#include "server/worker/accept.h"
#include "server/worker/client.h"
#include "server/worker/lastwords.h"
#include "server/worker/shared.h"
#include "server/worker/state.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEAT (250 * USEC_PER_MSEC)

/* Free memory that a worker keeps for the next replies. */
#define MALLOC_KEEP (4 << 20)

/* What an orphan may still spend on its clients. */
#define ORPHAN_DRAIN (500 * USEC_PER_MSEC)

/* --- words to the master ----------------------------------------------------------- */

void
worker_say(struct worker *w, enum worker_word word, const char *text)
{
    struct worker_message message = { .word = word };

    snprintf(message.text, sizeof(message.text), "%s", text);
    if (send(w->heritage->control_fd, &message, sizeof(message), MSG_NOSIGNAL) == -1)
        log_warn("control socket: cannot tell the master: errno=%d", errno);
}

/* Do those whom we are to follow reach more databases than we do?  Then a typing error
 * would put them out of work for nothing; if nobody reaches it, the reload may be the
 * remedy. */
static bool
worker_is_worse_off(const struct worker *w)
{
    struct scoreboard *board = w->heritage->board;
    uint64_t ours = metrics_get(w->metrics, METRIC_db_up);
    size_t i;

    if (!w->heritage->succeeds || ours >= w->config->ndatabases)
        return false;
    for (i = 0; i < scoreboard_size(board); i++) {
        struct scoreboard_slot *s = scoreboard_slot(board, i);

        if (slot_state(s) == SLOT_READY &&
            metrics_get(slot_metrics(s), METRIC_db_up) > ours)
            return true;
    }
    return false;
}

void
worker_settled(struct worker *w)
{
    if (w->state != WORKER_STARTING)
        return;
    if (worker_is_worse_off(w)) {
        if (!w->waits)
            log_warn("not ready: a database is away that the present workers reach, or "
                     "another one than theirs; waiting for it until start_timeout");
        w->waits = true;
        return;
    }
    if ((w->acceptor = acceptor_new(w)) == NULL) {
        log_error("cannot accept connections: no memory");
        w->exit_code = WORKER_EXIT_START;
        w->state = WORKER_DONE;
        return;
    }
    w->state = WORKER_SERVING;
    slot_set_state(w->slot, SLOT_READY);
    worker_say(w, WORKER_READY, "");
}

void
worker_refused(struct worker *w, const char *source, const char *why)
{
    char text[WORKER_TEXT_MAX];

    snprintf(text, sizeof(text), "source %s: %s", source, why);
    if (w->state == WORKER_STARTING && !w->heritage->serving) {
        worker_say(w, WORKER_REFUSED, text);
        w->exit_code = WORKER_EXIT_CONFIG;
        w->state = WORKER_DONE;
    } else {
        log_warn("source name=%s broken reason=\"%s\"; looking again every second",
                 source, why);
    }
}

/* --- draining ------------------------------------------------------------------------ */

/* Our copies only.  When the last copy is closed, newcomers are refused by the kernel
 * instead of waiting for nobody. */
static void
worker_close_listeners(struct worker *w)
{
    size_t i;

    for (i = 0; i < w->heritage->nlisten && !w->listeners_closed; i++)
        close(w->heritage->listen_fds[i]);
    w->listeners_closed = true;
}

/* No new clients, from nowhere; 'until' is the end. */
static void
worker_leave(struct worker *w, enum worker_state state, usec_t until)
{
    w->drain_until = until;
    w->state = w->state == WORKER_STARTING ? WORKER_DONE : state;
    slot_set_state(w->slot, SLOT_DRAINING);
    process_title("fetchd: worker %zu/%u gen %u (%s)", w->heritage->place,
                  w->config->workers, w->heritage->generation,
                  state == WORKER_RETIRING ? "retiring" : "draining");
    acceptor_free(&w->acceptor);
    donors_close(w);
    worker_close_listeners(w);
}

static void
worker_drain(struct worker *w, usec_t how_long, const char *why)
{
    usec_t until = clock_now() + how_long;
    struct list *node, *after;

    if (w->state == WORKER_DRAINING && w->drain_until <= until)
        return;
    log_info("draining reason=\"%s\" connections=%llu", why,
             (unsigned long long)metrics_get(w->metrics, METRIC_curr_connections));
    if (w->acceptor != NULL)
        acceptor_take_all(w->acceptor);
    worker_leave(w, WORKER_DRAINING, until);
    LIST_EACH_SAFE (node, after, &w->clients)
        client_drain(CONTAINER_OF(node, struct client, link));
}

static void
worker_on_term(evutil_socket_t signal_number, short what, void *arg)
{
    struct worker *w = arg;

    (void)signal_number;
    (void)what;
    worker_drain(w, w->config->drain_timeout_ms * USEC_PER_MSEC, "signal");
}

static void
worker_retire(struct worker *w, const uint32_t *slots, const int *fds, size_t n)
{
    usec_t patience = w->config->drain_timeout_ms * USEC_PER_MSEC;
    size_t i;

    if (w->state == WORKER_STARTING || w->state == WORKER_SERVING) {
        log_info("retiring connections=%llu heirs=%zu",
                 (unsigned long long)metrics_get(w->metrics, METRIC_curr_connections), n);
        /* Our successors may not listen where we do. */
        if (w->acceptor != NULL)
            acceptor_take_all(w->acceptor);
        worker_leave(w, WORKER_RETIRING, clock_now() + patience);
    }
    for (i = 0; i < n; i++) {
        if (w->state == WORKER_RETIRING && slots[i] < SCOREBOARD_CAPACITY)
            heir_add(w, fds[i], slots[i]);
        else
            close(fds[i]);
    }
}

/* What the master says; its silence for ever means that it died. */
static void
worker_on_control(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    struct worker_message message = { 0 };
    int fds[FDPASS_MAX];
    size_t nfds;
    ssize_t n = fdpass_recv(fd, &message, sizeof(message), fds, &nfds);

    (void)what;
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        event_del(w->control_event);
        worker_drain(w, ORPHAN_DRAIN, "the master is gone");
    } else if (n == (ssize_t)sizeof(message) && message.word == MASTER_RETIRE) {
        worker_retire(w, message.slots, fds, nfds);
    } else if (n == (ssize_t)sizeof(message) && message.word == MASTER_DONOR &&
               nfds == 1) {
        donor_add(w, fds[0]);
    } else if (n == (ssize_t)sizeof(message) && message.word == MASTER_LOG && nfds == 1) {
        log_sink_take(fds[0]);
    } else {
        while (nfds > 0)
            close(fds[--nfds]);
    }
}

static void
worker_on_beat(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;

    (void)fd;
    (void)what;
    clients_tick(w, clock_now());
    if (w->waits)
        worker_settled(w);
    metrics_set(w->metrics, METRIC_log_dropped, log_dropped());
}

/* --- the turn ---------------------------------------------------------------------------- */

/* A round of duties that was begun is ended: what the first of them wanted from a source
 * is sent by the second. */
static bool
worker_has_duties(const struct worker *w)
{
    return !list_empty(&w->to_parse) || !list_empty(&w->to_plan) ||
           !list_empty(&w->to_write) || !list_empty(&w->to_free) || w->duty != 0 ||
           sources_settling(w);
}

static bool
worker_has_more(const struct worker *w)
{
    return worker_has_duties(w) || !list_empty(&w->to_write_first) || w->hits.n > 0;
}

static void
worker_plan(struct worker *w)
{
    sources_settle(w);
    planner_run(w);
    sources_flush(w, clock_now());
}

static void
worker_free(struct worker *w)
{
    heirs_give(w);
    clients_free(w);
}

/* What is left over is done one after the other, while the share lasts; a turn that ends
 * before all had theirs is followed by one that goes on with the next. */
static void
worker_do_duties(struct worker *w)
{
    static void (*const duties[])(struct worker *) = { clients_parse, worker_plan,
                                                       clients_write, worker_free };
    usec_t ends;
    size_t done = 0;

    if (!worker_has_duties(w) && w->nheirs == 0)
        return;
    ends = clock_now() + WORKER_SHARE_LEFT;
    do {
        w->share_ends = ends;
        duties[w->duty](w);
        w->duty = (w->duty + 1) % ARRAY_LEN(duties);
        /* Those that came due meanwhile do not wait for the rest. */
        deadlines_check(w);
        w->share_ends = ends;
    } while (++done < ARRAY_LEN(duties) && !worker_share_over(w, clock_now()));
    if (done == ARRAY_LEN(duties))
        w->duty = 0;
}

/* Drained, or out of time? */
static void
worker_end(struct worker *w, usec_t now)
{
    if ((w->state != WORKER_DRAINING && w->state != WORKER_RETIRING) ||
        (!list_empty(&w->clients) && now < w->drain_until))
        return;
    if (!list_empty(&w->clients))
        log_warn("drain: out of time, aborting requests=%llu connections=%llu",
                 (unsigned long long)metrics_get(w->metrics, METRIC_inflight_requests),
                 (unsigned long long)metrics_get(w->metrics, METRIC_curr_connections));
    w->state = WORKER_DONE;
}

/* Reading took more than its share, or a large batch came back: what is left over is put
 * off by a turn, so that who came meanwhile waits for one of the two, not for both; never
 * twice in a row. */
static bool
worker_puts_off(struct worker *w, usec_t now)
{
    bool busy = (w->share_ends != 0 && now >= w->share_ends) || sources_settling(w);

    w->put_off = !w->put_off && busy;
    return w->put_off;
}

static void
worker_turn(struct worker *w)
{
    usec_t now = clock_now();
    bool puts_off = worker_puts_off(w, now);

    deadlines_check(w);
    w->share_ends = 0;
    hits_settle(w);
    deadlines_check(w);
    w->share_ends = 0;
    sources_flush(w, now);
    clients_write_first(w);
    if (!puts_off)
        worker_do_duties(w);
    now = clock_now();
    shared_beat(w, now);
    deadlines_arm(w);
    w->share_ends = 0;
    worker_end(w, now);
    metrics_add(w->metrics, METRIC_turns, 1);
    slot_beat(w->slot, now);
}

/* --- birth and death ------------------------------------------------------------------- */

static struct event *
worker_event(struct worker *w, evutil_socket_t fd, short what, event_callback_fn callback,
             const struct timeval *tv)
{
    struct event *e = event_new(w->base, fd, what | EV_PERSIST, callback, w);

    if (e == NULL || event_add(e, tv) == -1)
        return NULL;
    return e;
}

static struct event_base *
worker_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    /* One thread, and no stranger's environment decides the backend. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    base = event_base_new_with_config(config);
    event_config_free(config);
    if (base != NULL && event_base_priority_init(base, PRIORITY_COUNT) == -1) {
        event_base_free(base);
        base = NULL;
    }
    return base;
}

static bool
worker_open(struct worker *w)
{
    const struct protocol_limits limits = { w->config->line_max_bytes,
                                            w->config->ids_max };
    const struct timeval beat = { 0, (suseconds_t)BEAT };

    list_init(&w->clients);
    list_init(&w->to_parse);
    list_init(&w->to_write);
    list_init(&w->to_write_first);
    list_init(&w->to_free);
    list_init(&w->blocked);
    list_init(&w->to_plan);
    list_init(&w->donors);
    parser_init(&w->parser, &limits);
    w->deadline_fd = -1;
    w->read_buffer = malloc(2 * WORKER_READ_BYTES);
    if (w->read_buffer == NULL || (w->base = worker_base()) == NULL)
        return false;
    w->term_event = worker_event(w, SIGTERM, EV_SIGNAL, worker_on_term, NULL);
    w->quit_event = worker_event(w, SIGQUIT, EV_SIGNAL, worker_on_term, NULL);
    w->control_event =
        worker_event(w, w->heritage->control_fd, EV_READ, worker_on_control, NULL);
    w->beat_event = worker_event(w, -1, 0, worker_on_beat, &beat);
    if (w->term_event == NULL || w->quit_event == NULL || w->control_event == NULL ||
        w->beat_event == NULL)
        return false;
    look_init(&w->look);
    return deadlines_open(w) == 0 && sources_open(w) && shared_open(w);
}

static void
worker_close(struct worker *w)
{
    struct event *events[] = { w->term_event, w->quit_event, w->control_event,
                               w->beat_event };
    struct list *node, *after;
    size_t i;

    w->state = WORKER_DONE; /* whatever ended it: nothing waits for another turn */
    acceptor_free(&w->acceptor);
    donors_close(w);
    LIST_EACH_SAFE (node, after, &w->clients)
        client_close(CONTAINER_OF(node, struct client, link), "shutdown");
    heirs_close(w);
    clients_free(w);
    sources_close(w);
    shared_close(w);
    look_fini(&w->look);
    deadlines_close(w);
    for (i = 0; i < ARRAY_LEN(events); i++) {
        if (events[i] != NULL)
            event_free(events[i]);
    }
    if (w->base != NULL)
        event_base_free(w->base);
    parser_fini(&w->parser);
    free(w->read_buffer);
    libevent_global_shutdown();
}

static void
worker_run(struct worker *w)
{
    sigset_t none;

    /* Handlers are in place: whatever arrived since the fork is delivered now. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (w->state != WORKER_DONE) {
        if (event_base_loop(w->base, EVLOOP_ONCE | (worker_has_more(w) ? EVLOOP_NONBLOCK
                                                                       : 0)) == -1) {
            log_error("the event loop failed errno=%d", errno);
            w->exit_code = WORKER_EXIT_START;
            return;
        }
        worker_turn(w);
    }
}

/* Replies come and go: giving their pages back to the kernel after each and faulting
 * them in again cost a tenth of a worker's time (measured with 100 hits a request). */
static void
worker_keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, MALLOC_KEEP);
    mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP);
}

int
worker_main(const struct worker_heritage *heritage)
{
    struct worker w = {
        .heritage = heritage,
        .config = heritage->config,
        .slot = scoreboard_slot(heritage->board, heritage->slot),
        .state = WORKER_STARTING,
    };

    w.metrics = slot_metrics(w.slot);
    w.box = scoreboard_box(heritage->board, heritage->slot);
    lastwords_init(w.box);
    worker_keep_memory();
    slot_claim(w.slot, (int)getpid(), clock_now());
    srand48((long)getpid() ^ (long)clock_now());
    if (worker_open(&w)) {
        worker_run(&w);
    } else {
        log_error("cannot start: no memory or descriptors");
        w.exit_code = WORKER_EXIT_START;
    }
    worker_close(&w);
    return w.exit_code;
}
