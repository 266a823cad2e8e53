/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that can be ended while they block in a system call.
 *
 * Such a thread looks at a flag of its own between system calls. Who wants it to end sets the flag, then kicks it: a
 * signal that interrupts what it blocks in. All other signals are for the program's own threads and blocked here.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct kvm_thread {
    pthread_t id;
    bool started;
};

/** Starts a thread. Returns 0 or a negative errno value. */
int kvm_thread_start(struct kvm_thread *thread, const char *name, void *(*main)(void *), void *argument);

/** Interrupts the system call that a started thread blocks in. */
void kvm_thread_interrupt(struct kvm_thread *thread);

/** Waits until a thread ends. NULL-safe for one that was not started. */
void kvm_thread_join(struct kvm_thread *thread);

/** Kicks a thread, which was told to end, until it has. */
void kvm_thread_end(struct kvm_thread *thread);
