/* SPDX-License-Identifier: BSD-2-Clause */
/* Message-signalled interrupts, and eventfds that raise them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include <sel4vm_kvm.h>

struct kvm_msis {
    kvm_irqfd_t *first;
    size_t num;
    uint64_t sent; /**< by kvm_msi_send() */
};

/** Frees what the caller did not. */
void kvm_msis_destroy(vm_t *vm);

/** Gives KVM the table that says what each interrupt number does. Returns 0 or a negative errno value. */
int kvm_msis_route(vm_t *vm);
