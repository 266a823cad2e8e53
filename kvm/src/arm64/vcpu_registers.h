/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a vCPU. Functions return 0, or -1 after a line in the log. */
#pragma once

#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** Points the boot vCPU at code, with its argument in x0. */
int kvm_vcpu_enter(vm_t *vm, uint64_t entry, uint64_t x0);

/** Makes the access that a vCPU waits for end in an external abort. */
int kvm_vcpu_abort_access(vm_vcpu_t *vcpu);
