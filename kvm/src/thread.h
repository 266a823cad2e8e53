/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that can be ended while they block in a system call.
 *
 * Such a thread looks at a flag of its own between system calls. To end it, set the flag, then interrupt the thread: a
 * signal ends the system call. All other signals are blocked in these threads, and so go to the program's own.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include <sel4vm_kvm.h>

struct kvm_thread {
    pthread_t id;
    bool started;
    kvm_thread_kind_t kind;
    char name[16]; /**< as the kernel has it */
    void *(*main)(void *);
    void *argument;
};

/** Starts a thread, which begins with what kvm_threads_on_start() chose. Returns 0 or a negative errno value. */
int kvm_thread_start(struct kvm_thread *thread, kvm_thread_kind_t kind, const char *name, void *(*main)(void *),
                     void *argument);

/** Lets the calling thread begin with what kvm_threads_on_start() chose. */
void kvm_thread_enter(kvm_thread_kind_t kind);

/** Interrupts the system call in which a started thread blocks. */
void kvm_thread_interrupt(struct kvm_thread *thread);

/** Waits until a thread ends. Returns at once for one that was not started. */
void kvm_thread_join(struct kvm_thread *thread);

/** Interrupts a thread whose flag is set until it has ended. */
void kvm_thread_end(struct kvm_thread *thread);
