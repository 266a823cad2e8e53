/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs of the interrupt controller, behind sel4vm/guest_irq_controller.h. */
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
    int trigger_fd; /**< eventfd: asserts the input until the guest ends the interrupt */
    int end_fd;     /**< eventfd: the guest ended it */
    /**
     * Asserted, and its end not yet acknowledged. KVM lowers the input at the guest's end of interrupt, but the
     * acknowledgement runs later, in a thread. An injection in between would be one whose own end nobody can tell from
     * that of the former; so there is none, and the acknowledgement looks for what came meanwhile.
     */
    bool in_service;

    /* Of a VM without KVM. */
    bool pending;
    bool disabled;
    int level;
};

struct kvm_irq_inputs {
    struct kvm_irq_input input[ARCH_NUM_IRQS];
    bool wired;        /**< KVM knows of the eventfds of registered inputs */
    size_t next_spare; /**< for kvm_irq_allocate() */
    int poll_fd;       /**< epoll over the end_fds */
    int stop_fd;       /**< eventfd: ends the thread */
    struct kvm_thread thread;
};

/** Whether a device may use the interrupt controller's input. */
static inline bool kvm_irq_input_valid(int irq)
{
    return irq >= KVM_FIRST_IRQ && irq <= KVM_LAST_IRQ;
}

/** Starts a VM's inputs. Returns 0 or a negative errno value. */
int kvm_irq_inputs_init(vm_t *vm);
void kvm_irq_inputs_destroy(vm_t *vm);

/** Gives KVM the eventfds, when the interrupt controller is complete, and starts the thread that calls
 * acknowledgements. Returns 0 or a negative errno value. */
int kvm_irq_inputs_start(vm_t *vm);
/** Ends the thread. */
void kvm_irq_inputs_stop(vm_t *vm);

/** From now on kvm_irq_allocate() gives what the guest's tables have for devices that come later. */
void kvm_irq_allocator_booted(vm_t *vm);

/** Ends kvm_irq_allocate()'s use of a VM that goes. */
void kvm_irq_allocator_forget(const vm_t *vm);
