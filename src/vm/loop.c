/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sel4vm_kvm.h>

#include "../common/message.h"

struct loop {
    int epoll;
    struct source stop; /* an eventfd, which run() handles itself */
    pthread_t thread;
    void (*begin)(void);
    bool has_thread;
};

struct loop *loop_create(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop) {
        message("no memory for an event loop");
        return NULL;
    }
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll < 0 || loop->stop.fd < 0 || loop_watch(loop, &loop->stop, EPOLLIN)) {
        message("cannot make an event loop: %s", error_reason(errno));
        loop_destroy(loop);
        return NULL;
    }
    return loop;
}

static void *run(void *argument)
{
    struct loop *loop = argument;

    (void)pthread_setname_np(pthread_self(), "loop");
    if (loop->begin)
        loop->begin();
    for (;;) {
        struct epoll_event event;
        struct source *source;
        /* One at a time, since handling it may free the source of the next. */
        int n = epoll_wait(loop->epoll, &event, 1, -1);

        if (n < 0 && errno != EINTR) {
            message("cannot wait for events: %s", error_reason(errno));
            abort(); /* the process would go on without peers and signals */
        }
        if (n != 1)
            continue;
        source = event.data.ptr;
        if (source == &loop->stop)
            return NULL;
        kvm_vmm_lock();
        source->handle(source, event.events);
        kvm_vmm_unlock();
    }
}

int loop_start(struct loop *loop, void (*begin)(void))
{
    int error;

    loop->begin = begin;
    error = pthread_create(&loop->thread, NULL, run, loop);
    if (error) {
        message("cannot start the thread that serves its connections: %s", start_error_reason(error));
        return -1;
    }
    loop->has_thread = true;
    return 0;
}

void loop_stop(struct loop *loop)
{
    if (!loop->has_thread)
        return;
    while (eventfd_write(loop->stop.fd, 1) && errno == EINTR)
        ;
    pthread_join(loop->thread, NULL);
    loop->has_thread = false;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    loop_stop(loop);
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->stop.fd >= 0)
        close(loop->stop.fd);
    free(loop);
}

static int control(struct loop *loop, struct source *source, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(loop->epoll, operation, source->fd, &event);
}

int loop_watch(struct loop *loop, struct source *source, uint32_t events)
{
    return control(loop, source, EPOLL_CTL_ADD, events);
}

void loop_change(struct loop *loop, struct source *source, uint32_t events)
{
    (void)control(loop, source, EPOLL_CTL_MOD, events);
}

void loop_unwatch(struct loop *loop, struct source *source)
{
    (void)control(loop, source, EPOLL_CTL_DEL, 0);
}
