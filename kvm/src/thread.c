/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "resource.h"

#define INTERRUPT_SIGNAL SIGRTMIN
#define INTERRUPT_INTERVAL_NS 10000000

static pthread_once_t handler_once = PTHREAD_ONCE_INIT;

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

int kvm_thread_start(struct kvm_thread *thread, const char *name, void *(*main)(void *), void *argument)
{
    sigset_t mine, before;
    int error;

    if (kvm_resource_fails())
        return -ENOMEM;
    pthread_once(&handler_once, install_handler);

    /* The new thread inherits the mask. */
    sigfillset(&mine);
    sigdelset(&mine, INTERRUPT_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &mine, &before);
    error = pthread_create(&thread->id, NULL, main, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    thread->started = true;
    pthread_setname_np(thread->id, name);
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
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += INTERRUPT_INTERVAL_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        if (pthread_timedjoin_np(thread->id, NULL, &until) != ETIMEDOUT)
            break;
    }
    thread->started = false;
}
