/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between architectures. Functions that return int give 0, or -1 after a line in the log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

struct kvm_irq_routing_entry;
struct kvm_run;
struct kvm_uart;

/** Fixed entries of the interrupt routing table, and the first number that is free for MSIs. */
#if defined(__x86_64__)
#define ARCH_NUM_LINES 24
#define ARCH_FIXED_ROUTES 40
#define ARCH_FIRST_MSI_GSI 24
#define ARCH_CONSOLE_IRQ 4
#else
#error "libsel4vm on Linux KVM knows x86-64"
#endif

/** Makes the interrupt controller of a new VM. */
int arch_vm_init(vm_t *vm);

/** Gives all vCPUs, whose number is now final, their identity. */
int arch_cpus_prepare(vm_t *vm);

/** Handles an exit that only this architecture has. False: it is not known. */
bool arch_cpu_exit(vm_vcpu_t *vcpu, struct kvm_run *run);

/** Instruction pointer of a vCPU that is not in KVM_RUN; 0 when it cannot be had. */
uint64_t arch_cpu_instruction_pointer(const vm_vcpu_t *vcpu);

/** Why a range cannot be RAM, or NULL when it can. */
const char *arch_ram_objection(uintptr_t start, size_t size);

/** Whether a device may use the interrupt controller's input. */
bool arch_line_valid(int irq);

/** The i-th input that kvm_irq_allocate() gives, or -1 after the last. */
int arch_line_spare(size_t i);

/** Fills in ARCH_FIXED_ROUTES entries. */
void arch_fixed_routes(struct kvm_irq_routing_entry *entries);

/** Sets the level of an input. */
int arch_line_set_level(vm_t *vm, int irq, int level);

/** Shows the guest the console's registers. */
int arch_console_attach(vm_t *vm, struct kvm_uart *uart);
