/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsel4vm on Linux KVM: what only tests need.
 *
 * Tests of VMM code need no KVM: after kvm_use_backend_none(), VMs have reservations, frames, interrupts and a PCI
 * space as usual, but cannot run. Tests make the guest's accesses with kvm_test_fault().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>
#include <sel4vm_kvm.h>

/** Makes VMs that are initialised from now on do without KVM. Returns 0. */
int kvm_use_backend_none(void);

/**
 * Makes an access as if a vCPU had made it and no memory had taken it. In a VM without KVM, a store first meets the
 * doorbells of kvm_ioeventfd_assign().
 *
 * @param len        1 to 8 bytes; 0: as on Arm, when libsel4vm cannot decode the instruction
 * @param data       what is stored, in the low bits
 * @param read_value receives what is loaded, in the low bits; may be NULL
 * @return the fault callback's result
 */
memory_fault_result_t kvm_test_fault(vm_vcpu_t *vcpu, uintptr_t addr, size_t len, bool is_read, uint64_t data,
                                     uint64_t *read_value);

/** Makes an access to an I/O port of an x86 guest, of 1, 2 or 4 bytes. */
void kvm_test_port(vm_vcpu_t *vcpu, uint16_t port, unsigned int size, bool is_in, uint32_t *value);

/*
 * Interrupts of a VM without KVM behave as those of libsel4vm's virtual GIC. An injection while the interrupt is
 * pending is dropped; one while the guest has it disabled fails; the guest's end of interrupt calls the
 * acknowledgement.
 */

/** Whether the guest has an interrupt to take, by vm_inject_irq() or by level. */
int kvm_test_irq_pending(vm_t *vm, int irq);

/** Ends an interrupt in the guest's place. Returns 0, or -1 if it was not pending. */
int kvm_test_irq_eoi(vm_t *vm, int irq);

/*
 * The two halves of an end of interrupt, which KVM does one after the other: it lowers the input at once, and a thread
 * calls the acknowledgement later.
 */

/** Lowers the input. Returns 0, or -1 if the interrupt was not pending. */
int kvm_test_irq_end(vm_t *vm, int irq);

/** Calls the acknowledgement. */
void kvm_test_irq_acknowledge(vm_t *vm, int irq);

/** Enables or disables an interrupt in the guest's place; at first it is enabled. Enabling one that is not pending
 * calls the acknowledgement, as libsel4vm does. Returns 0, or -1 if the interrupt is not registered. */
int kvm_test_irq_enable(vm_t *vm, int irq, bool enabled);

/** The number that KVM has for the message of an eventfd: no two of a VM are equal. */
uint32_t kvm_test_irqfd_number(const kvm_irqfd_t *irqfd);

/** How much a VM holds. */
typedef struct kvm_test_snapshot {
    size_t reservations;
    size_t memslots;
    size_t irqs;       /**< registered */
    size_t irqfds;     /**< kvm_irqfd_create() */
    size_t ioeventfds; /**< kvm_ioeventfd_assign() */
    size_t frames;     /**< of the whole process */
    uint64_t msis;     /**< sent by kvm_msi_send() so far */
} kvm_test_snapshot_t;

/** Fills in a snapshot. */
void kvm_test_snapshot(const vm_t *vm, kvm_test_snapshot_t *snapshot);

/**
 * Makes the n-th allocation, mapping or new descriptor from now on fail, once. The first is number 1; 0: none fails.
 *
 * @return what is left of the n of the last call: 0 if its failure has happened
 */
int kvm_test_fail_after(int n);
