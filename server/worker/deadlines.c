/*
 * deadlines.c - one timer for every request.
 *
 * One timerfd serves them all and is set only when an earlier deadline appears; most
 * requests are answered long before theirs, so the timer is hardly ever touched.
 * (libevent's default clock is coarse: a 5 ms timer is 3.3 ms late, measured; its
 * precise timers cost a system call a turn.)
 */
#include "server/worker/request.h"
#include "server/worker/state.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void
deadlines_expire(struct worker *w, usec_t now)
{
    struct heap_node *node;

    while ((node = heap_first(&w->deadlines)) != NULL && node->at <= now)
        request_expire(CONTAINER_OF(node, struct request, deadline));
}

static void
deadlines_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    uint64_t fired;

    (void)what;
    while (read(fd, &fired, sizeof(fired)) == -1 && errno == EINTR)
        ;
    w->deadline_armed = 0;
    deadlines_expire(w, clock_now());
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
    if (w->deadline_event == NULL || event_add(w->deadline_event, NULL) == -1)
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

void
deadlines_arm(struct worker *w)
{
    struct heap_node *first = heap_first(&w->deadlines);
    struct itimerspec when = { { 0, 0 }, { 0, 0 } };

    if (first == NULL || (w->deadline_armed != 0 && w->deadline_armed <= first->at))
        return;
    when.it_value.tv_sec = (time_t)(first->at / USEC_PER_SEC);
    when.it_value.tv_nsec = (long)(first->at % USEC_PER_SEC) * 1000;
    if (timerfd_settime(w->deadline_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        w->deadline_armed = first->at;
}
