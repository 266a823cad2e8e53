/* SPDX-License-Identifier: BSD-2-Clause */
/* This library's state of a VM and of a vCPU: vm->arch.kvm and vcpu->vcpu_arch.kvm. */
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
    int fd;           /**< of the VM; -1: a VM without KVM */
    int system_fd;    /**< /dev/kvm */
    size_t run_bytes; /**< of the mapping of struct kvm_run */

    /*
     * Guards state, status and the setting of stop_requested. With it, kvm_vm_stop() finds either a VM whose vCPU
     * threads it can interrupt, or one that looks at stop_requested before it starts them. It is not the VMM's lock, so
     * that a callback does not delay a stop.
     */
    pthread_mutex_t run_mutex;
    enum kvm_state state;
    int status;
    atomic_bool stop_requested;
    bool vcpus_prepared; /**< by kvm_arch_vcpus_prepare() */

    struct kvm_slots slots;
    struct kvm_irq_inputs inputs;
    struct kvm_msis msis;
    struct kvm_doorbell *doorbells;
    struct kvm_console *console;
};

struct kvm_vcpu {
    int fd;              /**< -1: a VM without KVM */
    struct kvm_run *run; /**< shared with the kernel */
    struct kvm_thread thread;
    struct kvm_fault fault;

    int stats_fd; /**< -1: the kernel has no counters */
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

/** Whether a VM is one without KVM, of kvm_use_backend_none(). */
static inline bool kvm_vm_is_hollow(const vm_t *vm)
{
    return kvm_vm_of(vm)->fd < 0;
}
