/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/message.h"

struct hub_loop {
    int epoll;
    struct hub_timer *timers; /* that are set */
    int64_t due_ms;           /* no timer is due before */
    struct hub_look *looks;
    struct hub_look *looks_when_rung;
    struct foreign_bell *bell;
    struct hub_source rung;
};

/* --- sources --- */

static int control(struct hub_loop *loop, struct hub_source *source, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(loop->epoll, operation, source->fd, &event);
}

int hub_loop_watch(struct hub_loop *loop, struct hub_source *source, uint32_t events)
{
    return control(loop, source, EPOLL_CTL_ADD, events);
}

void hub_loop_change(struct hub_loop *loop, struct hub_source *source, uint32_t events)
{
    (void)control(loop, source, EPOLL_CTL_MOD, events);
}

void hub_loop_unwatch(struct hub_loop *loop, struct hub_source *source)
{
    (void)control(loop, source, EPOLL_CTL_DEL, 0);
}

/* --- timers --- */

void hub_timer_stop(struct hub_timer *timer)
{
    timer->due_ms = NEVER_MS;
    if (!timer->link)
        return;
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    timer->link = NULL;
}

static void link_timer(struct hub_timer **list, struct hub_timer *timer)
{
    timer->next = *list;
    timer->link = list;
    if (timer->next)
        timer->next->link = &timer->next;
    *list = timer;
}

void hub_timer_set(struct hub_loop *loop, struct hub_timer *timer, int64_t due_ms)
{
    hub_timer_stop(timer);
    if (due_ms == NEVER_MS)
        return;
    timer->due_ms = due_ms;
    link_timer(&loop->timers, timer);
    loop->due_ms = earlier_ms(loop->due_ms, due_ms);
}

/* Calls the timers that are due. They wait in a list of their own, from which a handler may still take any. */
static void call_due(struct hub_loop *loop, int64_t now)
{
    struct hub_timer *due = NULL, *timer, *next;

    for (timer = loop->timers; timer; timer = next) {
        next = timer->next;
        if (timer->due_ms > now)
            continue;
        hub_timer_stop(timer);
        link_timer(&due, timer);
    }
    while (due) {
        timer = due;
        hub_timer_stop(timer);
        timer->handle(timer, now);
    }
}

/* Looks at the timers that are set, but only when the first of them may be due. How long to wait for the next, for
 * epoll_wait(). */
static int call_timers(struct hub_loop *loop)
{
    int64_t now;

    if (loop->due_ms == NEVER_MS)
        return -1;
    now = now_ms();
    if (loop->due_ms <= now) {
        call_due(loop, now);
        loop->due_ms = NEVER_MS;
        for (const struct hub_timer *timer = loop->timers; timer; timer = timer->next)
            loop->due_ms = earlier_ms(loop->due_ms, timer->due_ms);
    }
    return poll_until_ms(loop->due_ms, now);
}

/* --- looks --- */

static void link_look(struct hub_look **list, struct hub_look *look)
{
    if (look->link)
        return;
    look->next = *list;
    look->link = list;
    if (look->next)
        look->next->link = &look->next;
    *list = look;
}

void hub_look_start(struct hub_loop *loop, struct hub_look *look)
{
    link_look(&loop->looks, look);
}

void hub_look_when_rung(struct hub_loop *loop, struct hub_look *look)
{
    link_look(&loop->looks_when_rung, look);
}

void hub_look_stop(struct hub_look *look)
{
    if (!look->link)
        return;
    *look->link = look->next;
    if (look->next)
        look->next->link = look->link;
    look->link = NULL;
}

static void look_at_all(struct hub_look *look)
{
    for (struct hub_look *next; look; look = next) {
        next = look->next;
        if (!look->again(look))
            hub_look_stop(look);
    }
}

static void rung(struct hub_source *source, uint32_t events)
{
    struct hub_loop *loop = (struct hub_loop *)((char *)source - offsetof(struct hub_loop, rung));
    eventfd_t count;

    (void)events;
    /* First: a thread that ends after a look at its closer rings again. */
    (void)eventfd_read(source->fd, &count);
    look_at_all(loop->looks_when_rung);
}

/* --- life --- */

struct hub_loop *hub_loop_create(void)
{
    struct hub_loop *loop = calloc(1, sizeof(*loop));

    if (!loop) {
        message("no memory for an event loop");
        return NULL;
    }
    loop->due_ms = NEVER_MS;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->bell = foreign_bell_create();
    if (loop->epoll >= 0 && loop->bell) {
        loop->rung = (struct hub_source){.fd = foreign_bell_fd(loop->bell), .handle = rung};
        if (hub_loop_watch(loop, &loop->rung, EPOLLIN) == 0)
            return loop;
    }
    message("cannot make an event loop: %s", error_reason(errno));
    hub_loop_destroy(loop);
    return NULL;
}

void hub_loop_destroy(struct hub_loop *loop)
{
    if (!loop)
        return;
    foreign_bell_free(loop->bell);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop);
}

struct foreign_bell *hub_loop_bell(struct hub_loop *loop)
{
    return loop->bell;
}

/* --- serving --- */

int hub_loop_run(struct hub_loop *loop, int stop)
{
    struct hub_source end = {.fd = stop};

    if (hub_loop_watch(loop, &end, EPOLLIN)) {
        message("cannot wait for the end: %s", error_reason(errno));
        return -1;
    }
    for (;;) {
        struct epoll_event event;
        struct hub_source *source;
        /* One at a time: handling it may free the source of the next. The kernel takes those that are ready in turn. */
        int timeout = call_timers(loop), n = epoll_wait(loop->epoll, &event, 1, loop->looks ? 0 : timeout);

        if (n < 0 && errno != EINTR) {
            message("cannot wait for events: %s", error_reason(errno));
            return -1;
        }
        if (n == 1) {
            source = event.data.ptr;
            if (source == &end)
                break;
            source->handle(source, event.events);
        }
        look_at_all(loop->looks);
    }
    hub_loop_unwatch(loop, &end);
    return 0;
}
