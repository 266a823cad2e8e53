/* SPDX-License-Identifier: BSD-2-Clause */
/* The private state of a VM and its vCPUs, behind vm->arch.kvm and vcpu->vcpu_arch.kvm. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include "fault.h"
#include "irq_input.h"
#include "msi.h"
#include "slot.h"
#include "thread.h"

struct kvm_run;
struct kvm_console;
struct kvm_doorbell;

enum kvm_state { KVM_STATE_NEW, KVM_STATE_RUNNING, KVM_STATE_ENDED };

struct kvm_vm {
    int fd;           /**< of the VM; -1: there is no KVM behind it */
    int system_fd;    /**< /dev/kvm */
    size_t run_bytes; /**< of struct kvm_run's mapping */

    /*
     * Guards state, and status while it becomes known: kvm_vm_stop() must find either a VM whose vCPU threads it can
     * kick, or one that will look at stop_requested before it starts them. Not the VMM's lock, so that a stop is not
     * held up by a callback.
     */
    pthread_mutex_t run_mutex;
    enum kvm_state state;
    int status;
    atomic_bool stop_requested;
    bool vcpus_prepared; /**< kvm_arch_vcpus_prepare() was done */

    struct kvm_slots slots;
    struct kvm_irq_inputs inputs;
    struct kvm_msis msis;
    struct kvm_doorbell *doorbells;
    struct kvm_console *console;
};

struct kvm_vcpu {
    int fd;              /**< -1: no KVM */
    struct kvm_run *run; /**< shared with the kernel */
    struct kvm_thread thread;
    struct kvm_fault fault;

    int stats_fd; /**< -1: the kernel has no statistics */
    int64_t stats_exits_offset;
    atomic_ulong user_exits;
    atomic_ulong mmio_exits;
    atomic_ulong io_exits;
    bool emulation_failure_logged;
};

static inline struct kvm_vm *kvm_vm_of(const vm_t *vm)
{
    return vm->arch.kvm;
}

static inline struct kvm_vcpu *kvm_vcpu_of(const vm_vcpu_t *vcpu)
{
    return vcpu->vcpu_arch.kvm;
}

/** Whether a VM has no KVM behind it. */
static inline bool kvm_vm_is_hollow(const vm_t *vm)
{
    return kvm_vm_of(vm)->fd < 0;
}
