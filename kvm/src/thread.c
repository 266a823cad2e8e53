/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "resource.h"

#define KICK_SIGNAL SIGRTMIN
#define KICK_INTERVAL_NS 10000000

static pthread_once_t handler_once = PTHREAD_ONCE_INIT;

static void kicked(int signal)
{
    (void)signal; /* that it interrupts a system call is all it is for */
}

static void install_handler(void)
{
    struct sigaction action = {.sa_handler = kicked}; /* without SA_RESTART */

    sigemptyset(&action.sa_mask);
    sigaction(KICK_SIGNAL, &action, NULL);
}

int kvm_thread_start(struct kvm_thread *thread, const char *name, void *(*main)(void *), void *argument)
{
    sigset_t mine, before;
    int error;

    if (kvm_resource_fails())
        return -ENOMEM;
    pthread_once(&handler_once, install_handler);

    /* A new thread inherits the mask. */
    sigfillset(&mine);
    sigdelset(&mine, KICK_SIGNAL);
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
    pthread_kill(thread->id, KICK_SIGNAL);
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
    /* Again and again, since a kick between its look at the flag and the system call is lost. */
    for (;;) {
        struct timespec until;

        kvm_thread_interrupt(thread);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += KICK_INTERVAL_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        if (pthread_timedjoin_np(thread->id, NULL, &until) != ETIMEDOUT)
            break;
    }
    thread->started = false;
}
