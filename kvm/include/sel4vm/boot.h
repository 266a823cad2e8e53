/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a VM. */
#pragma once

#include <simple/simple.h>
#include <vka/vka.h>
#include <vspace/vspace.h>

#include <sel4vm/guest_vm.h>

#define BOOT_VCPU 0

/**
 * Initialises a VM. kvm_vm_destroy() frees what this and later calls make.
 *
 * @param vm   the caller's memory; overwritten
 * @param name of the VM, for messages; copied
 * @return 0; -1 if there is no KVM or no memory. The other arguments may be null or zero.
 */
int vm_init(vm_t *vm, vka_t *vka, simple_t *host_simple, vspace_t host_vspace, ps_io_ops_t *io_ops,
            seL4_CPtr host_endpoint, const char *name);

/** Adds a vCPU; the first is the boot vCPU. Returns NULL if there are CONFIG_MAX_NUM_NODES of them, or on failure. */
vm_vcpu_t *vm_create_vcpu(vm_t *vm, int priority);

/** Binds a vCPU's thread to a core of the machine. Returns 0, or -1 if another vCPU of the VM has that core. */
int vm_assign_vcpu_target(vm_vcpu_t *vcpu, int target_cpu);
