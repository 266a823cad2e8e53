/* SPDX-License-Identifier: BSD-2-Clause */
/* A memory access that a vCPU waits for: sel4vm/guest_vcpu_fault.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>

struct kvm_fault {
    uintptr_t address; /**< guest physical */
    size_t length;     /**< 1 to 8 */
    bool is_read;
    bool restart;  /**< restart_vcpu_fault() was called */
    uint64_t data; /**< see guest_vcpu_fault.h */
};

/**
 * Lets the VMM handle an access. Takes the VMM's lock.
 *
 * @param bytes what is stored; receives what is loaded
 * @return the callback's result. FAULT_ERROR is logged, and the caller must end the VM.
 */
memory_fault_result_t kvm_fault_handle(vm_vcpu_t *vcpu, uintptr_t address, size_t length, bool is_read, uint8_t *bytes);
