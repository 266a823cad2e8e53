/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "resource.h"

#define INTERRUPT_SIGNAL SIGRTMIN
#define INTERRUPT_INTERVAL_NS 10000000

static pthread_once_t handler_once = PTHREAD_ONCE_INIT;
static void (*on_start)(kvm_thread_kind_t kind);

/* The signal needs a handler, since only a signal with one interrupts a system call without ending the process. */
static void interrupted(int signal)
{
    (void)signal;
}

static void install_handler(void)
{
    struct sigaction action = {.sa_handler = interrupted}; /* without SA_RESTART */

    sigemptyset(&action.sa_mask);
    sigaction(INTERRUPT_SIGNAL, &action, NULL);
}

void kvm_threads_on_start(void (*started)(kvm_thread_kind_t kind))
{
    on_start = started;
}

void kvm_thread_enter(kvm_thread_kind_t kind)
{
    if (on_start)
        on_start(kind);
}

/* A thread names itself: for another one's name, the C library opens a file. */
static void *begin(void *argument)
{
    const struct kvm_thread *thread = argument;

    (void)pthread_setname_np(pthread_self(), thread->name);
    kvm_thread_enter(thread->kind);
    return thread->main(thread->argument);
}

int kvm_thread_start(struct kvm_thread *thread, kvm_thread_kind_t kind, const char *name, void *(*main)(void *),
                     void *argument)
{
    sigset_t mine, before;
    int error;

    if (kvm_resource_fails())
        return -ENOMEM;
    pthread_once(&handler_once, install_handler);
    thread->kind = kind;
    (void)snprintf(thread->name, sizeof(thread->name), "%s", name);
    thread->main = main;
    thread->argument = argument;

    /* The new thread inherits the mask. */
    sigfillset(&mine);
    sigdelset(&mine, INTERRUPT_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &mine, &before);
    error = pthread_create(&thread->id, NULL, begin, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    thread->started = true;
    return 0;
}

void kvm_thread_interrupt(struct kvm_thread *thread)
{
    pthread_kill(thread->id, INTERRUPT_SIGNAL);
}

void kvm_thread_join(struct kvm_thread *thread)
{
    if (!thread->started)
        return;
    pthread_join(thread->id, NULL);
    thread->started = false;
}

void kvm_thread_end(struct kvm_thread *thread)
{
    if (!thread->started)
        return;
    /* Repeated, since a signal between the thread's look at its flag and its system call interrupts nothing. */
    for (;;) {
        struct timespec until;

        kvm_thread_interrupt(thread);
        clock_gettime(CLOCK_MONOTONIC, &until); /* another clock may jump back, and make this one long wait */
        until.tv_nsec += INTERRUPT_INTERVAL_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        if (pthread_clockjoin_np(thread->id, NULL, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
            break;
    }
    thread->started = false;
}
