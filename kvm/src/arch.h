/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between architectures. Functions that return int return 0, or -1 after a line in the log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include "arch_numbers.h"

struct kvm_boot;
struct kvm_irq_routing_entry;
struct kvm_room;
struct kvm_run;
struct kvm_uart;

/*
 * arch_numbers.h has these:
 *
 * ARCH_NUM_IRQS       the number of the last input, plus 1
 * ARCH_FIXED_ROUTES   entries of KVM's interrupt routing table for the inputs
 * ARCH_FIRST_MSI_GSI  the first number in that table that is free for MSIs
 * ARCH_MSI_FLAGS      flags of an MSI in KVM's interface
 * ARCH_CONSOLE_IRQ    the console's input
 * ARCH_PROCESSOR      the processor of its kernels, see kernel.h
 */

/** The argument of KVM_CREATE_VM. */
unsigned long kvm_arch_vm_type(int system_fd);

/** Makes the interrupt controller of a new VM. Only for a VM with KVM. */
int kvm_arch_vm_init(vm_t *vm);

/** Frees what only this architecture has. Also after a failure, and for a VM without KVM. */
void kvm_arch_vm_destroy(vm_t *vm);

/** Whether devices can raise MSIs. */
bool kvm_arch_has_msi(const vm_t *vm);

/** Initialises a new vCPU. Returns 0, or -1 with errno. */
int kvm_arch_vcpu_init(vm_vcpu_t *vcpu);

/** Completes what depends on the number of vCPUs, which is final now. */
int kvm_arch_vcpus_prepare(vm_t *vm);

/**
 * Where a kernel and its initramfs can go.
 *
 * @param start, size the first region of RAM
 * @param room        receives what is left of it for them
 * @return NULL, or why such a region is not enough
 */
const char *kvm_arch_boot_room(uint64_t start, uint64_t size, struct kvm_room *room);

/** Tells a kernel that is loaded of the machine, and points the first vCPU at it. */
int kvm_arch_boot(vm_t *vm, const struct kvm_boot *boot);

/** Handles an exit that only this architecture has. False: the exit is unknown. */
bool kvm_arch_vcpu_exit(vm_vcpu_t *vcpu, struct kvm_run *run);

/** The instruction pointer of a vCPU that is not in KVM_RUN; 0 if KVM does not give it. */
uint64_t kvm_arch_vcpu_instruction_pointer(const vm_vcpu_t *vcpu);

/** Why a range cannot be RAM, or NULL if it can. */
const char *kvm_arch_ram_objection(uintptr_t start, size_t size);

/** The i-th input that kvm_irq_allocate() returns, or -1 after the last. */
int kvm_arch_irq_spare(size_t i);

/** The first i for devices that come after boot. */
size_t kvm_arch_irq_spare_late(void);

/** Fills in ARCH_FIXED_ROUTES entries of the routing table. */
void kvm_arch_fixed_routes(struct kvm_irq_routing_entry *entries);

/** Sets the level of an input. */
int kvm_arch_irq_set_level(vm_t *vm, int irq, int level);

/** Shows the console's registers to the guest. */
int kvm_arch_console_attach(vm_t *vm, struct kvm_uart *uart);
