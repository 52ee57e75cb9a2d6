/*
 * deadlines.c - one timer for every request, part of a view and lease.
 *
 * One timerfd serves them all and is set only when an earlier deadline appears; most
 * requests are answered long before theirs, so the timer is hardly ever touched.
 * (libevent's default clock is coarse: a 5 ms timer is 3.3 ms late, measured; its
 * precise timers cost a system call a turn.)
 */
#include "server/source/view.h"
#include "server/worker/request.h"
#include "server/worker/shared.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

void
deadlines_count(struct worker *w, usec_t at, usec_t now)
{
    usec_t late = now > at ? now - at : 0;

    metrics_add(w->metrics, METRIC_deadlines_fired, 1);
    metrics_add(w->metrics, METRIC_deadlines_late_1ms, late > 1 * USEC_PER_MSEC);
    metrics_add(w->metrics, METRIC_deadlines_late_2ms, late > 2 * USEC_PER_MSEC);
    metrics_add(w->metrics, METRIC_deadlines_late_5ms, late > 5 * USEC_PER_MSEC);
    metrics_peak(w->metrics, METRIC_deadline_late_max_us, late);
}

/* As many as the share allows; those that are left make the timer fire at once. */
void
deadlines_check(struct worker *w)
{
    struct heap_node *node = heap_first(&w->deadlines);
    usec_t now;

    if (node == NULL)
        return;
    now = clock_now();
    w->share_ends = 0;
    while (node != NULL && node->at <= now && !worker_share_over(w, now)) {
        request_expire(CONTAINER_OF(node, struct request, deadline));
        node = heap_first(&w->deadlines);
        now = clock_now();
    }
}

static void
deadlines_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    usec_t now = clock_now(), recheck_at = shared_recheck_at(w);
    uint64_t fired;

    (void)what;
    while (read(fd, &fired, sizeof(fired)) == -1 && errno == EINTR)
        ;
    w->deadline_armed = 0;
    deadlines_check(w);
    if (recheck_at != 0 && recheck_at <= now)
        shared_wake(w, now);
    /* What is due is said now, not when every client that is ready was heard. */
    event_base_loopbreak(w->base);
}

int
deadlines_open(struct worker *w)
{
    heap_init(&w->deadlines);
    w->deadline_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (w->deadline_fd == -1)
        return -1;
    w->deadline_event =
        event_new(w->base, w->deadline_fd, EV_READ | EV_PERSIST, deadlines_on_timer, w);
    if (w->deadline_event == NULL ||
        event_priority_set(w->deadline_event, PRIORITY_DEADLINE) == -1 ||
        event_add(w->deadline_event, NULL) == -1)
        return -1;
    return 0;
}

void
deadlines_close(struct worker *w)
{
    if (w->deadline_event != NULL)
        event_free(w->deadline_event);
    if (w->deadline_fd != -1)
        close(w->deadline_fd);
    heap_fini(&w->deadlines);
}

/* Of two times, 0 being never. */
static usec_t
sooner(usec_t a, usec_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void
deadlines_arm(struct worker *w)
{
    const struct heap_node *first = heap_first(&w->deadlines);
    struct itimerspec when = { { 0, 0 }, { 0, 0 } };
    usec_t due = sooner(views_due(w->views), shared_recheck_at(w));

    due = sooner(due, shared_beat_at(w));
    if (first != NULL && (due == 0 || first->at < due))
        due = first->at;
    if (due == 0 || (w->deadline_armed != 0 && w->deadline_armed <= due))
        return;
    when.it_value.tv_sec = (time_t)(due / USEC_PER_SEC);
    when.it_value.tv_nsec = (long)(due % USEC_PER_SEC) * 1000;
    if (timerfd_settime(w->deadline_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        w->deadline_armed = due;
}
