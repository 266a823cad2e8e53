/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory access that a vCPU waits for, during its fault callback.
 *
 * Data is a word. For a store, its low bits are what the guest stores. For a load, what set_vcpu_fault_data() is given
 * lies as in the aligned 32-bit word that holds the address: a byte at an address that ends in 1 is taken from bits 8
 * to 15. The mask lies in the same way. Accesses of more than 32 bits are not shifted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>

/** Guest physical address. */
seL4_Word get_vcpu_fault_address(vm_vcpu_t *vcpu);
/** Address of the instruction; 0 when there is no vCPU behind the fault. */
seL4_Word get_vcpu_fault_ip(vm_vcpu_t *vcpu);
/** What the guest stores, or what was set for the load. */
seL4_Word get_vcpu_fault_data(vm_vcpu_t *vcpu);
/** The bytes of the word that the access has. */
seL4_Word get_vcpu_fault_data_mask(vm_vcpu_t *vcpu);
/** Bytes. */
size_t get_vcpu_fault_size(vm_vcpu_t *vcpu);
bool is_vcpu_read_fault(vm_vcpu_t *vcpu);
/** Sets what a load gives. Returns 0. */
int set_vcpu_fault_data(vm_vcpu_t *vcpu, seL4_Word data);
/** A load of data that was set: the register after it, when data was in it before. A store: the word after it. */
seL4_Word emulate_vcpu_fault(vm_vcpu_t *vcpu, seL4_Word data);
/** The access is done. */
void advance_vcpu_fault(vm_vcpu_t *vcpu);
/** The access is to be done again, as with FAULT_RESTART. */
void restart_vcpu_fault(vm_vcpu_t *vcpu);
