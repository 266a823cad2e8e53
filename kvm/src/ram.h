/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** Where this process has a range of the guest's RAM. NULL: it is not all RAM, or not of one piece. */
void *kvm_ram_pointer(const vm_t *vm, uintptr_t addr, size_t size);
