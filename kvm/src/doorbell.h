/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest stores that signal an eventfd instead of faulting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** How many a VM has. */
size_t kvm_doorbells_count(const vm_t *vm);

/** Rings the doorbell at an address as KVM does. False: there is none. */
bool kvm_doorbell_signal(vm_t *vm, uintptr_t address);

/** Frees what the caller did not. */
void kvm_doorbells_destroy(vm_t *vm);
