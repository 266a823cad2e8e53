/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of devices. The interrupt controller is KVM's; vm_init() makes it. */
#pragma once

#include <sel4vm/guest_vm.h>

/** Called when the guest has ended the interrupt. */
typedef void (*irq_ack_fn_t)(vm_vcpu_t *vcpu, int irq, void *cookie);

/**
 * Asserts an input of the interrupt controller until the guest ends the interrupt. A further call meanwhile has no
 * effect: look in the acknowledgement for what happened since.
 *
 * @return 0; -1 if the number is not registered
 */
int vm_inject_irq(vm_vcpu_t *vcpu, int irq);

/** Sets the level of an input, registered or not. Returns 0, or -1 for a bad number. */
int vm_set_irq_level(vm_vcpu_t *vcpu, int irq, int irq_level);

/**
 * Registers an input, level-triggered, for vm_inject_irq(). Registering it again replaces the acknowledgement.
 *
 * @param irq    number of the input, from KVM_FIRST_IRQ to KVM_LAST_IRQ
 * @param ack_fn called when the guest has ended the interrupt
 * @return 0; -1 for a bad argument, or if KVM or Linux refuse
 */
int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie);

/** Does nothing, since vm_init() makes the interrupt controller. Returns 0. */
int vm_create_default_irq_controller(vm_t *vm);
