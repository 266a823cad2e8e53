/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between architectures. Functions that return int give 0, or -1 after a line in the log. */
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
 * ARCH_NUM_IRQS      numbers of inputs are below this
 * ARCH_FIXED_ROUTES   entries of the interrupt routing table for them
 * ARCH_FIRST_MSI_GSI  the first number in that table that is free for MSIs
 * ARCH_MSI_FLAGS      of an MSI in KVM's interface
 * ARCH_CONSOLE_IRQ    the console's input
 * ARCH_PROCESSOR      which kernels it boots, see kernel.h
 */

/** What KVM_CREATE_VM takes. */
unsigned long kvm_arch_vm_type(int system_fd);

/** Makes the interrupt controller of a new VM that has a KVM behind it. */
int kvm_arch_vm_init(vm_t *vm);

/** Frees what only this architecture has; also after a failure, and without KVM. */
void kvm_arch_vm_destroy(vm_t *vm);

/** Whether devices can interrupt by MSI. */
bool kvm_arch_has_msi(const vm_t *vm);

/** Makes a new vCPU one that the guest can run on. Returns 0, or -1 with errno. */
int kvm_arch_vcpu_init(vm_vcpu_t *vcpu);

/** Completes what depends on the number of vCPUs, which is now final. */
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

/** Handles an exit that only this architecture has. False: it is not known. */
bool kvm_arch_vcpu_exit(vm_vcpu_t *vcpu, struct kvm_run *run);

/** Instruction pointer of a vCPU that is not in KVM_RUN; 0 when it cannot be had. */
uint64_t kvm_arch_vcpu_instruction_pointer(const vm_vcpu_t *vcpu);

/** Why a range cannot be RAM, or NULL when it can. */
const char *kvm_arch_ram_objection(uintptr_t start, size_t size);

/** The i-th input that kvm_irq_allocate() gives, or -1 after the last. */
int kvm_arch_irq_spare(size_t i);

/** From which i on inputs are for devices that come after boot. */
size_t kvm_arch_irq_spare_late(void);

/** Fills in ARCH_FIXED_ROUTES entries. */
void kvm_arch_fixed_routes(struct kvm_irq_routing_entry *entries);

/** Sets the level of an input. */
int kvm_arch_irq_set_level(vm_t *vm, int irq, int level);

/** Shows the guest the console's registers. */
int kvm_arch_console_attach(vm_t *vm, struct kvm_uart *uart);
