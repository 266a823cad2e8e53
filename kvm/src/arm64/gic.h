/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's interrupt controller: a GICv3, with an ITS for MSIs, or a GICv2. Functions return 0, or -1 after a line
 * in the log. */
#pragma once

#include <stdbool.h>

#include <sel4vm/guest_vm.h>

struct kvm_gic {
    int version; /**< 2 or 3 */
    int fd;      /**< KVM's devices; -1: none */
    int its_fd;
};

/** The version of a VM's GIC, and whether it has an ITS. Of a VM without KVM, those of the one that is asked for. */
int kvm_gic_version(const vm_t *vm);
bool kvm_gic_has_its(const vm_t *vm);

/** Makes it, before the vCPUs. */
int kvm_gic_create(vm_t *vm);

/** Completes it, when all vCPUs are there. */
int kvm_gic_complete(vm_t *vm);

void kvm_gic_destroy(vm_t *vm);
