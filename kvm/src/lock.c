/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>

#include <sel4vm_kvm.h>

static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void kvm_vmm_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void kvm_vmm_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}
