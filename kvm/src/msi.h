/* SPDX-License-Identifier: BSD-2-Clause */
/* Message-signalled interrupts, and eventfds that raise them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include <sel4vm_kvm.h>

struct kvm_msis {
    kvm_irqfd_t *first;
    size_t num;
    bool ready;    /**< the interrupt controller is complete; before that, KVM may replace routes or refuse eventfds */
    uint64_t sent; /**< by kvm_msi_send() */
};

/** Gives KVM the routing table of inputs and MSIs, and the eventfds. The interrupt controller must be complete. Returns
 * 0 or a negative errno value. */
int kvm_msis_start(vm_t *vm);

/** Destroys the irqfds that a VM still has. */
void kvm_msis_destroy(vm_t *vm);
