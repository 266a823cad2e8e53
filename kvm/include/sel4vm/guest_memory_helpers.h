/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>

/** A fault callback for memory that the guest must not touch: logs the access and returns FAULT_ERROR. */
memory_fault_result_t default_error_fault_callback(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t fault_addr, size_t fault_length,
                                                   void *cookie);
