/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** The address in this process of a range of the guest's RAM. NULL: the range is not RAM, or not in one piece. */
void *kvm_ram_pointer(const vm_t *vm, uintptr_t addr, size_t size);
