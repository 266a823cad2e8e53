/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs of the interrupt controller: sel4vm/guest_irq_controller.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_vm.h>

#include <sel4vm_kvm_arch.h>

#include "arch.h"
#include "thread.h"

struct kvm_irq_input {
    bool registered;
    vm_vcpu_t *vcpu;
    irq_ack_fn_t ack;
    void *cookie;
    int trigger_fd; /**< eventfd whose signal asserts the input until the guest ends the interrupt */
    int end_fd;     /**< eventfd that KVM signals when the guest has ended the interrupt */
    /**
     * Asserted, and its end not acknowledged yet: an injection must have no effect. KVM lowers the input at the guest's
     * end of interrupt, but a thread calls the acknowledgement later. After an injection in between, the two ends could
     * not be told apart. The acknowledgement looks for what happened meanwhile.
     */
    bool in_service;

    /* Only in a VM without KVM. */
    bool pending;
    bool disabled;
    int level;
};

struct kvm_irq_inputs {
    struct kvm_irq_input input[ARCH_NUM_IRQS];
    bool wired;        /**< KVM has the eventfds of registered inputs */
    size_t next_spare; /**< the i of the next kvm_irq_allocate() */
    int poll_fd;       /**< epoll over the end_fds */
    int stop_fd;       /**< eventfd whose signal ends the thread */
    struct kvm_thread thread;
};

/** Whether devices may use an input. */
static inline bool kvm_irq_input_valid(int irq)
{
    return irq >= KVM_FIRST_IRQ && irq <= KVM_LAST_IRQ;
}

/** Initialises a VM's inputs. Returns 0 or a negative errno value. kvm_irq_inputs_destroy() frees, also after a
 * failure. */
int kvm_irq_inputs_init(vm_t *vm);

/** Frees what kvm_irq_inputs_init() and vm_register_irq() made. */
void kvm_irq_inputs_destroy(vm_t *vm);

/** Gives KVM the eventfds and starts the thread that calls acknowledgements. The interrupt controller must be complete.
 * Returns 0 or a negative errno value. */
int kvm_irq_inputs_start(vm_t *vm);

/** Ends the thread. */
void kvm_irq_inputs_stop(vm_t *vm);

/** Makes kvm_irq_allocate() return only what the guest's tables have for devices that come after boot. */
void kvm_irq_allocator_booted(vm_t *vm);

/** Ends the use of a VM by kvm_irq_allocate(), before the VM is destroyed. */
void kvm_irq_allocator_forget(const vm_t *vm);
