/* SPDX-License-Identifier: BSD-2-Clause */
/* What the vCPUs tell the guest of themselves (CPUID), and their state at the start. */
#pragma once

#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** Sets CPUID, memory types and local interrupt inputs of all vCPUs. Returns 0, or -1 after a line in the log. */
int kvm_identity_set_all(vm_t *vm);

/**
 * Points the boot vCPU at 64-bit code, with paging on and the first 4 GiB mapped one to one.
 *
 * @param entry where it starts
 * @param rsi   value of that register, as the boot protocol has it
 * @return 0, or -1 after a line in the log
 */
int kvm_identity_enter_64bit(vm_t *vm, uint64_t entry, uint64_t rsi);
