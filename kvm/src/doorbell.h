/* SPDX-License-Identifier: BSD-2-Clause */
/* Doorbells: guest physical addresses whose stores signal an eventfd instead of faulting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** How many doorbells a VM has. */
size_t kvm_doorbells_count(const vm_t *vm);

/** Signals the doorbell at an address, as KVM does. False: there is none. */
bool kvm_doorbell_signal(vm_t *vm, uintptr_t address);

/** Unwires the doorbells that a VM still has. */
void kvm_doorbells_destroy(vm_t *vm);
