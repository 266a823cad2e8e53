/* SPDX-License-Identifier: BSD-2-Clause */
/* The private state of a VM and its vCPUs, behind vm->arch.machine and vcpu->vcpu_arch.cpu. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include "fault.h"
#include "line.h"
#include "msi.h"
#include "slot.h"
#include "thread.h"

struct kvm_run;
struct kvm_console;
struct kvm_doorbell;

enum kvm_state { KVM_STATE_NEW, KVM_STATE_RUNNING, KVM_STATE_ENDED };

struct kvm_machine {
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
    bool cpus_prepared; /**< arch_cpus_prepare() was done */

    struct kvm_slots slots;
    struct kvm_lines lines;
    struct kvm_msis msis;
    struct kvm_doorbell *doorbells;
    struct kvm_console *console;
};

struct kvm_cpu {
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

static inline struct kvm_machine *machine_of(const vm_t *vm)
{
    return vm->arch.machine;
}

static inline struct kvm_cpu *cpu_of(const vm_vcpu_t *vcpu)
{
    return vcpu->vcpu_arch.cpu;
}

/** Whether a VM has no KVM behind it. */
static inline bool machine_is_hollow(const vm_t *vm)
{
    return machine_of(vm)->fd < 0;
}
