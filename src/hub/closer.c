/* SPDX-License-Identifier: BSD-2-Clause */
#include "closer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../wire/foreign.h"

/* What the thread and the closer share: the last of them frees it. */
struct hub_closing {
    int users; /* atomic */
    int ended; /* an eventfd */
    int fds[HUB_CLOSER_MAX];
    size_t num_fds;
};

static void leave(struct hub_closing *closing)
{
    if (__atomic_sub_fetch(&closing->users, 1, __ATOMIC_ACQ_REL))
        return;
    close(closing->ended);
    free(closing);
}

static void *run(void *argument)
{
    struct hub_closing *closing = argument;

    for (size_t i = 0; i < closing->num_fds; i++)
        close(closing->fds[i]);
    (void)eventfd_write(closing->ended, 1);
    leave(closing);
    return NULL;
}

static int start_thread(struct hub_closing *closing)
{
    pthread_attr_t detached;
    sigset_t all, before;
    pthread_t thread;
    int error;

    if (pthread_attr_init(&detached))
        return -1;
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    /* Signals are for the threads that handle them. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &detached, run, closing);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&detached);
    return error;
}

static void forget(struct hub_closer *closer)
{
    hub_loop_unwatch(closer->loop, &closer->source);
    closer->source.fd = -1;
    leave(closer->closing);
    closer->closing = NULL;
}

static void thread_ended(struct hub_source *source, uint32_t events)
{
    struct hub_closer *closer = (struct hub_closer *)source;

    (void)events;
    forget(closer);
    closer->ended(closer);
}

void hub_closer_init(struct hub_closer *closer, struct hub_loop *loop, void (*ended)(struct hub_closer *closer))
{
    *closer = (struct hub_closer){.source = {.fd = -1, .handle = thread_ended}, .loop = loop, .ended = ended};
}

static bool start(struct hub_closer *closer, struct hub_closing *closing)
{
    closing->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (closing->ended < 0)
        return false;
    closing->users = 2;
    closer->source.fd = closing->ended;
    if (hub_loop_watch(closer->loop, &closer->source, EPOLLIN) == 0) {
        closer->closing = closing;
        if (start_thread(closing) == 0)
            return true;
        hub_loop_unwatch(closer->loop, &closer->source);
        closer->closing = NULL;
    }
    closer->source.fd = -1;
    close(closing->ended);
    return false;
}

bool hub_closer_close(struct hub_closer *closer, const int *fds, size_t n)
{
    struct hub_closing *closing = NULL;

    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0)
            continue;
        if (!closing && !foreign_is_eventfd(fds[i]))
            closing = calloc(1, sizeof(*closing));
        if (closing && !foreign_is_eventfd(fds[i]))
            closing->fds[closing->num_fds++] = fds[i];
        else
            close(fds[i]);
    }
    if (!closing)
        return false;
    if (start(closer, closing))
        return true;
    /* Without memory or descriptors for a thread, to wait is better than to lose descriptors. */
    for (size_t i = 0; i < closing->num_fds; i++)
        close(closing->fds[i]);
    free(closing);
    return false;
}

void hub_closer_destroy(struct hub_closer *closer)
{
    if (closer->closing)
        forget(closer);
}
