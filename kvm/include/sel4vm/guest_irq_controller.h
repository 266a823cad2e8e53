/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of devices. The controller is KVM's; vm_init() makes it. */
#pragma once

#include <sel4vm/guest_vm.h>

/** The guest ended the interrupt. */
typedef void (*irq_ack_fn_t)(vm_vcpu_t *vcpu, int irq, void *cookie);

/**
 * Asserts an input of the interrupt controller until the guest ends the interrupt. While it is asserted, a further call
 * has no effect: look for more to tell in the acknowledgement.
 *
 * @return 0; -1 when the number is not registered
 */
int vm_inject_irq(vm_vcpu_t *vcpu, int irq);

/** Sets the level of an input that vm_register_irq() need not know. Returns 0, or -1 for a bad number. */
int vm_set_irq_level(vm_vcpu_t *vcpu, int irq, int irq_level);

/**
 * Registers an input, level-triggered, for vm_inject_irq(). Registering it again replaces the acknowledgement.
 *
 * @param irq    number of the input: 1 to 23 on x86
 * @param ack_fn called when the guest ended the interrupt
 * @return 0; -1 for a bad argument, or when KVM or Linux refuse
 */
int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie);

/** Returns 0: vm_init() made the controller. */
int vm_create_default_irq_controller(vm_t *vm);
