/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's interrupt controller: a GICv3, with an ITS for MSIs, or a GICv2. Functions that return int without more
 * said return 0, or -1 after a line in the log. */
#pragma once

#include <stdbool.h>

#include <sel4vm/guest_vm.h>

struct kvm_gic {
    int version; /**< 2 or 3 */
    int fd;      /**< KVM's device; -1: none */
    int its_fd;  /**< KVM's device; -1: none */
};

/** The version of a VM's GIC. For a VM without KVM, the version that is asked for. */
int kvm_gic_version(const vm_t *vm);

/** Whether a VM's GIC has an ITS. For a VM without KVM, whether the version that is asked for has one. */
bool kvm_gic_has_its(const vm_t *vm);

/** Makes the GIC. Must come before the vCPUs. */
int kvm_gic_create(vm_t *vm);

/** Completes the GIC. Must come after the vCPUs. */
int kvm_gic_complete(vm_t *vm);

/** Frees the GIC. */
void kvm_gic_destroy(vm_t *vm);
