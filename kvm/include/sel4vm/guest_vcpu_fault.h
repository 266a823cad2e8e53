/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory access that a vCPU waits for, during its fault callback.
 *
 * Data is a word. For a store, its low bits are what the guest stores. For a load, set_vcpu_fault_data() takes the
 * bytes where they are in the aligned 32-bit word around the address: a byte at an address that ends in 1 is in bits 8
 * to 15. The mask has the same position. Accesses of more than 32 bits are not shifted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>

/** Returns the guest physical address. */
seL4_Word get_vcpu_fault_address(vm_vcpu_t *vcpu);

/** Returns the address of the instruction; 0 if a test made the fault. */
seL4_Word get_vcpu_fault_ip(vm_vcpu_t *vcpu);

/** Returns what the guest stores, or what was set for the load. */
seL4_Word get_vcpu_fault_data(vm_vcpu_t *vcpu);

/** Returns the mask of the bytes that the access has. */
seL4_Word get_vcpu_fault_data_mask(vm_vcpu_t *vcpu);

/** Returns the bytes of the access. */
size_t get_vcpu_fault_size(vm_vcpu_t *vcpu);

/** Whether the access is a load. */
bool is_vcpu_read_fault(vm_vcpu_t *vcpu);

/** Sets what a load gives. Returns 0. */
int set_vcpu_fault_data(vm_vcpu_t *vcpu, seL4_Word data);

/** Returns what the access makes of `data`. A load: the register, which held `data` before. A store: the word in
 * memory, which was `data` before. */
seL4_Word emulate_vcpu_fault(vm_vcpu_t *vcpu, seL4_Word data);

/** Ends the access: the vCPU goes on after the instruction. */
void advance_vcpu_fault(vm_vcpu_t *vcpu);

/** Makes the vCPU make the access again, as FAULT_RESTART does. */
void restart_vcpu_fault(vm_vcpu_t *vcpu);
