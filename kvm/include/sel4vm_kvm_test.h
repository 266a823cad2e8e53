/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsel4vm on Linux KVM: what tests need, and no VMM does.
 *
 * Tests of VMM code run where there is no KVM too: after kvm_use_backend_none(), VMs have reservations, frames,
 * interrupts and a PCI space as ever, and cannot run. Accesses of the guest come from kvm_test_fault().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>

/** VMs initialised from now on have no KVM behind them. Returns 0. */
int kvm_use_backend_none(void);

/**
 * Makes an access as if a vCPU had made it and memory had not taken it; in a VM without KVM, a doorbell
 * (kvm_ioeventfd_assign()) comes first.
 *
 * @param len        1 to 8 bytes; 0: as libsel4vm has it on Arm when it cannot decode the instruction
 * @param data       what a store stores, in the low bits
 * @param read_value receives what a load gives, in the low bits; may be NULL
 * @return the fault callback's result
 */
memory_fault_result_t kvm_test_fault(vm_vcpu_t *vcpu, uintptr_t addr, size_t len, bool is_read, uint64_t data,
                                     uint64_t *read_value);

/** Makes an access to an I/O port of an x86 guest, of 1, 2 or 4 bytes. */
void kvm_test_port(vm_vcpu_t *vcpu, uint16_t port, unsigned int size, bool is_in, uint32_t *value);

/*
 * Interrupts of a VM without KVM behave as those of libsel4vm's virtual GIC: an injection while the interrupt is
 * pending is dropped, one while the guest has it disabled fails, and the guest's end of interrupt calls the
 * acknowledgement.
 */

/** Whether the guest has an interrupt to take (by vm_inject_irq() or by level). */
int kvm_test_irq_pending(vm_t *vm, int irq);
/** The guest ends it. Returns 0, or -1 when it was not pending. */
int kvm_test_irq_eoi(vm_t *vm, int irq);
/** The two halves of that, apart as they are on KVM: the input goes down at once (0, or -1 when it was not pending),
 * and a thread calls the acknowledgement some time later. */
int kvm_test_irq_end(vm_t *vm, int irq);
void kvm_test_irq_acknowledge(vm_t *vm, int irq);
/** The guest enables or disables it; at first it is enabled. As there, enabling one that is not pending calls the
 * acknowledgement. Returns 0, or -1 when it is not registered. */
int kvm_test_irq_enable(vm_t *vm, int irq, bool enabled);

/** What a VM holds. */
typedef struct kvm_test_snapshot {
    size_t reservations;
    size_t memslots;
    size_t irqs;       /**< registered */
    size_t irqfds;     /**< kvm_irqfd_create() */
    size_t ioeventfds; /**< kvm_ioeventfd_assign() */
    size_t frames;     /**< of the process, not of the VM */
    uint64_t msis;     /**< sent by kvm_msi_send() so far */
} kvm_test_snapshot_t;
void kvm_test_snapshot(const vm_t *vm, kvm_test_snapshot_t *snapshot);

/**
 * Makes the n-th allocation, mapping or descriptor from now on fail, counted from 1, once. 0 makes none fail.
 *
 * @return what was left of the n before: 0 when the failure has happened
 */
int kvm_test_fail_after(int n);
